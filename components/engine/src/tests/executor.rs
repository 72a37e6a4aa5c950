//! An executor that a test controls: tasks run one poll at a time, and end where the test wants.

use super::world::{Heard, World};
use crate::turn::{Turn, TurnError, TurnRequest};
use futures::task::{ArcWake, waker};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Whether a task can go on.
pub(super) struct Flag(pub AtomicBool);

impl ArcWake for Flag {
    fn wake_by_ref(flag: &Arc<Self>) {
        flag.0.store(true, Ordering::SeqCst);
    }
}

/// Tasks that run one poll at a time, in an order that the test chooses.
#[derive(Default)]
pub(super) struct Tasks(Vec<Running>);

struct Running {
    flag: Arc<Flag>,
    task: Option<Pin<Box<dyn Future<Output = ()>>>>,
    paused: bool,
}

impl Tasks {
    /// Adds a task.
    pub(super) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) -> usize {
        self.0.push(Running {
            flag: Arc::new(Flag(AtomicBool::new(true))),
            task: Some(Box::pin(future)),
            paused: false,
        });
        self.0.len() - 1
    }

    /// Polls one of the tasks that can go on; `false` if none can.
    pub(super) fn poll_any(&mut self, choice: usize) -> bool {
        let can = |running: &Running| {
            running.task.is_some() && !running.paused && running.flag.0.load(Ordering::SeqCst)
        };
        let ready: Vec<usize> = (0..self.0.len()).filter(|index| can(&self.0[*index])).collect();
        if ready.is_empty() {
            return false;
        }
        self.poll(ready[choice % ready.len()])
    }

    /// Polls this task; `false` if it has nothing to do.
    pub(super) fn poll(&mut self, index: usize) -> bool {
        let Running {
            flag,
            task,
            paused: _,
        } = &mut self.0[index];
        let Some(future) = task.as_mut().filter(|_| flag.0.swap(false, Ordering::SeqCst)) else {
            return false;
        };
        if future
            .as_mut()
            .poll(&mut Context::from_waker(&waker(flag.clone())))
            .is_ready()
        {
            *task = None;
        }
        true
    }

    /// Drops a task wherever it is, as a crash does; `false` if it had ended.
    pub(super) fn crash(&mut self, index: usize) -> bool {
        self.0[index].task.take().is_some()
    }

    /// Keeps a task from running, as SIGSTOP does; time passes for it all the same.
    pub(super) fn pause(&mut self, index: usize) {
        self.0[index].paused = true;
    }

    /// Lets all tasks run that were paused.
    pub(super) fn resume(&mut self) {
        self.0.iter_mut().for_each(|running| running.paused = false);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|running| running.task.is_none())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

pub(super) async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Starts a turn on an instance of its own and stops as soon as the model has been asked.
pub(super) fn start(world: &World, tasks: &mut Tasks, request: TurnRequest) -> (usize, Outcome) {
    let asked = world.model.requests.borrow().len();
    let (task, outcome) = begin(world, tasks, request);
    while world.model.requests.borrow().len() == asked {
        assert!(tasks.poll(task), "the turn does not get as far as the model");
    }
    (task, outcome)
}

pub(super) type Outcome = Rc<RefCell<Option<Result<Turn, TurnError>>>>;

/// The turn that came of it.
pub(super) fn ended(outcome: &Outcome) -> Turn {
    outcome
        .borrow()
        .clone()
        .expect("it has not ended")
        .expect("it came to nothing")
}

/// Starts a turn on an instance of its own, without running it.
pub(super) fn begin(world: &World, tasks: &mut Tasks, request: TurnRequest) -> (usize, Outcome) {
    let outcome = Outcome::default();
    let (all, engine, result) = (world.clone(), world.engine(), outcome.clone());
    let task = tasks.spawn(async move {
        let turn = engine.turn(&all, request, &Heard::default()).await;
        result.replace(Some(turn));
    });
    (task, outcome)
}
