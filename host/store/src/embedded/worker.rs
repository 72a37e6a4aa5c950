//! The two threads that own the database: one writes, one reads.
//!
//! Group commit: the writer takes all operations that wait, applies each within a savepoint of its own, and commits
//! them with one flush to the disk. While the disk is busy the next ones gather, so that throughput grows with load
//! where each operation alone would wait for a flush of its own. An operation is answered, and watchers are woken,
//! after the flush only.
//!
//! Between operations the writer deletes what has expired ([`super::expiry`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyturn_state::Error;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::clock::Clock;
use super::directory::Directory;
use super::failure::{Failure, explain};
use super::watchers::{JournalKey, Watchers};
use super::{Durability, expiry, schema};

/// Operations of one transaction. More would make the first of them wait for the last.
const BATCH: usize = 256;

/// How often expired rows are looked for, and how soon again when there were many.
const SWEEP: Duration = Duration::from_secs(1);
const SWEEP_AGAIN: Duration = Duration::from_millis(20);

/// What an operation works with.
pub(super) struct Session<'a> {
    pub(super) connection: &'a Connection,
    /// Milliseconds since the Unix epoch; the same for the whole operation.
    pub(super) now: u64,
    /// Journals that the operation has appended to.
    pub(super) grown: Vec<JournalKey>,
}

/// An operation on its way to a thread and back.
trait Operation: Send {
    /// Does it, and keeps the result.
    fn perform(&mut self, session: &mut Session<'_>) -> Result<(), Unapplied>;
    /// Answers with the result, or with the error that came after it.
    fn answer(self: Box<Self>, fate: Result<(), Error>);
}

/// How an operation was not applied.
enum Unapplied {
    /// It was refused; its answer says why.
    Refused,
    /// The database failed.
    Sqlite(rusqlite::Error),
}

struct Call<T, A> {
    action: Option<A>,
    result: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, A> Operation for Call<T, A>
where
    T: Send,
    A: FnOnce(&mut Session<'_>) -> Result<T, Failure> + Send,
{
    fn perform(&mut self, session: &mut Session<'_>) -> Result<(), Unapplied> {
        let Some(action) = self.action.take() else {
            return Ok(());
        };
        match action(session) {
            Ok(value) => {
                self.result = Some(Ok(value));
                Ok(())
            }
            Err(Failure::Refused(error)) => {
                self.result = Some(Err(error));
                Err(Unapplied::Refused)
            }
            Err(Failure::Sqlite(error)) => Err(Unapplied::Sqlite(error)),
        }
    }

    fn answer(self: Box<Self>, fate: Result<(), Error>) {
        let result = match (fate, self.result) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(Error::Unavailable("the operation was not performed".to_owned())),
        };
        // Whoever asked may have gone; what was done stays done.
        let _ = self.reply.send(result);
    }
}

/// A thread that performs operations.
pub(super) struct Worker {
    operations: Option<Sender<Box<dyn Operation>>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Sends an operation to the thread and waits for its answer.
    pub(super) async fn call<T, A>(&self, action: A) -> Result<T, Error>
    where
        T: Send + 'static,
        A: FnOnce(&mut Session<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let gone = || Error::Unavailable("the embedded store has stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        let call = Box::new(Call {
            action: Some(action),
            result: None,
            reply,
        });
        let operations = self.operations.as_ref().ok_or_else(gone)?;
        operations.send(call).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Worker {
    /// Lets the thread finish what it was sent and close the database.
    fn drop(&mut self) {
        self.operations = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// Starts the thread that writes; it opens the database, keeps the directory, and gives both free when it ends.
pub(super) async fn start_writer(
    directory: PathBuf,
    durability: Durability,
    clock: Arc<Clock>,
    watchers: Arc<Watchers>,
) -> Result<Worker, Error> {
    start("anyturn-store-writer", move || {
        let directory = Directory::take(&directory)?;
        let path = directory.database();
        let connection = schema::open(&path, durability)?;
        let writer = Writer {
            connection,
            path,
            clock,
            watchers,
            swept: Instant::now(),
            _directory: directory,
        };
        Ok(move |operations| writer.run(&operations))
    })
    .await
}

/// Starts the thread that reads, once the writer has opened the database.
pub(super) async fn start_reader(path: PathBuf, clock: Arc<Clock>) -> Result<Worker, Error> {
    start("anyturn-store-reader", move || {
        let connection = schema::open_reader(&path)?;
        Ok(move |operations| read(&connection, &path, &clock, &operations))
    })
    .await
}

/// Starts a thread that first opens something, which may fail, and then runs with it.
async fn start<R>(
    name: &str,
    open: impl FnOnce() -> Result<R, Error> + Send + 'static,
) -> Result<Worker, Error>
where
    R: FnOnce(Receiver<Box<dyn Operation>>),
{
    let (operations, waiting) = channel();
    let (opened, outcome) = oneshot::channel();
    let body = move || match open() {
        Ok(run) => {
            let _ = opened.send(Ok(()));
            run(waiting);
        }
        Err(error) => {
            let _ = opened.send(Err(error));
        }
    };
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| Error::Unavailable(format!("the embedded store cannot start a thread: {error}")))?;
    let worker = Worker {
        operations: Some(operations),
        thread: Some(thread),
    };
    outcome
        .await
        .map_err(|_| Error::Unavailable("the embedded store could not be opened".to_owned()))??;
    Ok(worker)
}

struct Writer {
    // The order matters: the connection closes before the directory is given free.
    connection: Connection,
    path: PathBuf,
    clock: Arc<Clock>,
    watchers: Arc<Watchers>,
    /// When expired rows are to be looked for next.
    swept: Instant,
    _directory: Directory,
}

impl Writer {
    fn run(mut self, operations: &Receiver<Box<dyn Operation>>) {
        loop {
            match operations.recv_timeout(self.swept.saturating_duration_since(Instant::now())) {
                Ok(first) => self.batch(first, operations),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if Instant::now() >= self.swept {
                self.sweep();
            }
        }
    }

    /// Performs an operation and those that wait behind it in one transaction, and then answers them.
    fn batch(&mut self, first: Box<dyn Operation>, operations: &Receiver<Box<dyn Operation>>) {
        if let Err(error) = self.statement("BEGIN IMMEDIATE") {
            return first.answer(Err(explain(&self.path, &error)));
        }
        let mut performed = Vec::new();
        let mut grown = Vec::new();
        let mut next = Some(first);
        while let Some(mut operation) = next {
            let mut session = Session {
                connection: &self.connection,
                now: self.clock.now(),
                grown: Vec::new(),
            };
            match self.perform(operation.as_mut(), &mut session) {
                Ok(()) => {
                    grown.append(&mut session.grown);
                    performed.push((operation, Ok(())));
                }
                Err(error) => performed.push((operation, Err(explain(&self.path, &error)))),
            }
            // A full disk, among others, makes SQLite roll the whole transaction back by itself.
            if self.connection.is_autocommit() {
                break;
            }
            next = if performed.len() < BATCH {
                operations.try_recv().ok()
            } else {
                None
            };
        }
        let fate = self.commit();
        if fate.is_ok() {
            self.watchers.wake(&grown);
        }
        for (operation, own) in performed {
            operation.answer(own.and(fate.clone()));
        }
    }

    /// One operation, which leaves nothing behind unless it was applied.
    fn perform(&self, operation: &mut dyn Operation, session: &mut Session<'_>) -> rusqlite::Result<()> {
        self.statement("SAVEPOINT operation")?;
        let undone = match operation.perform(session) {
            Ok(()) => return self.statement("RELEASE operation"),
            Err(Unapplied::Refused) => Ok(()),
            Err(Unapplied::Sqlite(error)) => Err(error),
        };
        session.grown.clear();
        if !self.connection.is_autocommit() {
            self.statement("ROLLBACK TO operation")?;
            self.statement("RELEASE operation")?;
        }
        undone
    }

    fn commit(&self) -> Result<(), Error> {
        if self.connection.is_autocommit() {
            return Err(Error::Unavailable(format!(
                "{} rolled the transaction back",
                self.path.display()
            )));
        }
        self.statement("COMMIT").map_err(|error| {
            tracing::error!(%error, path = %self.path.display(), "the embedded store could not commit");
            if !self.connection.is_autocommit() {
                let _ = self.statement("ROLLBACK");
            }
            explain(&self.path, &error)
        })
    }

    fn sweep(&mut self) {
        let more = expiry::sweep(&mut self.connection, self.clock.now());
        let pause = match more {
            Ok(true) => SWEEP_AGAIN,
            Ok(false) => SWEEP,
            Err(error) => {
                tracing::warn!(%error, path = %self.path.display(), "expired rows could not be deleted");
                SWEEP
            }
        };
        self.swept = Instant::now() + pause;
    }

    fn statement(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }
}

/// Performs operations that only read, each as of the moment at which it is taken up: what was answered before it
/// was sent is within its sight.
fn read(connection: &Connection, path: &Path, clock: &Clock, operations: &Receiver<Box<dyn Operation>>) {
    let statement = |sql: &str| connection.prepare_cached(sql)?.execute([]).map(drop);
    while let Ok(mut operation) = operations.recv() {
        let mut session = Session {
            connection,
            now: clock.now(),
            grown: Vec::new(),
        };
        let performed = statement("BEGIN").and_then(|()| match operation.perform(&mut session) {
            Ok(()) | Err(Unapplied::Refused) => Ok(()),
            Err(Unapplied::Sqlite(error)) => Err(error),
        });
        if !connection.is_autocommit() {
            let _ = statement("COMMIT");
        }
        operation.answer(performed.map_err(|error| explain(path, &error)));
    }
}
