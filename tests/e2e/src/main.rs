//! `cargo xtask e2e`: checks every promise of the public API against a deployment, and reports.
//!
//! Against a base URL it behaves like a guest: it uses the identity that it was given, creates sessions and tasks of
//! that user only, and deletes them. The exit code is 1 when a promise is broken, 2 when nothing could be checked.

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use anyturn_e2e::home::{Home, Kind};
use anyturn_e2e::{Credentials, PROMISES, Site, Skipped, Visit, check};
use anyturn_tests::spin;
use clap::Parser;
use futures::FutureExt as _;

/// What to check.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask e2e",
    about = "Check what the public API promises, against any deployment"
)]
struct Options {
    /// Check the promises whose names contain one of these; all, if there are none.
    filter: Vec<String>,
    /// The base URL of a deployment that is there already, such as https://agents.example.com.
    #[arg(long, conflicts_with = "spin")]
    url: Option<String>,
    /// Start the application under Spin, with a Redis. Where no `spin` is on the PATH, that is said, and no error.
    #[arg(long)]
    spin: bool,
    /// Who to be: an API key of a user that is there for tests. Its own data is not touched.
    #[arg(
        long,
        env = "ANYTURN_E2E_KEY",
        hide_env_values = true,
        requires = "url",
        conflicts_with = "token"
    )]
    key: Option<String>,
    /// Who to be: a token instead of a key.
    #[arg(long, env = "ANYTURN_E2E_TOKEN", hide_env_values = true, requires = "url")]
    token: Option<String>,
    /// Somebody else's API key: for what takes two.
    #[arg(
        long,
        env = "ANYTURN_E2E_OTHER_KEY",
        hide_env_values = true,
        requires = "url",
        conflicts_with = "other_token"
    )]
    other_key: Option<String>,
    /// Somebody else's token instead of a key.
    #[arg(
        long,
        env = "ANYTURN_E2E_OTHER_TOKEN",
        hide_env_values = true,
        requires = "url"
    )]
    other_token: Option<String>,
    /// An assistant with the tools of `tasks`, whose `delete_task` is approved by a role that somebody else has.
    #[arg(long, requires = "url", value_name = "ASSISTANT")]
    approvals: Option<String>,
    /// An origin that the deployment lists in cors_origins.
    #[arg(long, requires = "url")]
    origin: Option<String>,
    /// List the promises and stop.
    #[arg(long)]
    list: bool,
}

/// Where promises are checked: a place that is given, or one of our own.
enum Place {
    Given(Site),
    Own(Home),
}

/// How many promises came to which end.
#[derive(Default)]
struct Tally {
    kept: usize,
    broken: Vec<(&'static str, String)>,
    skipped: Vec<(&'static str, String)>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let promises: Vec<&'static str> = PROMISES
        .iter()
        .copied()
        .filter(|name| options.filter.is_empty() || options.filter.iter().any(|part| name.contains(part)))
        .collect();
    if promises.is_empty() {
        eprintln!(
            "error: no promise's name contains {}; --list shows them all",
            options.filter.join(" or ")
        );
        return ExitCode::from(2);
    }
    if options.list {
        promises.iter().for_each(|promise| println!("{promise}"));
        return ExitCode::SUCCESS;
    }
    if options.spin {
        match spin::version() {
            Some(version) => println!("under {version}"),
            None => {
                println!("skipped: there is no `spin` on the PATH (https://spinframework.dev/install)");
                return ExitCode::SUCCESS;
            }
        }
    }
    let run = || -> Result<Tally> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let place = place(&options).await?;
            Ok(all(&place, &promises).await)
        })
    };
    match run() {
        Ok(tally) => tally.report(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn place(options: &Options) -> Result<Place> {
    let Some(url) = &options.url else {
        let kind = if options.spin { Kind::Spin } else { Kind::Host };
        return Ok(Place::Own(Home::start(kind).await));
    };
    let of = |key: &Option<String>, token: &Option<String>| match (key, token) {
        (Some(key), _) => Credentials::Key(key.clone()),
        (None, Some(token)) => Credentials::Token(token.clone()),
        (None, None) => Credentials::None,
    };
    let mut site = Site::open(url, of(&options.key, &options.token)).await?;
    site.approvals = options.approvals.clone();
    site.origin = options.origin.clone();
    site.other = match of(&options.other_key, &options.other_token) {
        Credentials::None => None,
        other => Some(other),
    };
    let sessions = site
        .me
        .sign(anyturn_tests::client().get(site.url("/v1/sessions")))
        .send()
        .await?;
    let status = sessions.status();
    if !status.is_success() {
        let said = sessions.text().await.unwrap_or_default();
        return Err(anyhow::anyhow!("{said}"))
            .with_context(|| format!("{url} answers {status} to who I am; --key or --token says who to be"));
    }
    Ok(Place::Given(site))
}

/// Checks one after the other: a guest does not crowd.
async fn all(place: &Place, promises: &[&'static str]) -> Tally {
    // Where a broken promise was noticed is told with it, at the end.
    let place_of_panic = Arc::new(Mutex::new(String::new()));
    let noticed = place_of_panic.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        *noticed.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
    let mut tally = Tally::default();
    for promise in promises.iter().copied() {
        let site = match place {
            Place::Given(site) => site.clone(),
            Place::Own(home) => home.as_seen_by(promise),
        };
        match AssertUnwindSafe(check(promise, Visit::at(site)))
            .catch_unwind()
            .await
        {
            Ok(Ok(())) => {
                println!("  kept     {promise}");
                tally.kept += 1;
            }
            Ok(Err(Skipped(why))) => {
                println!("  skipped  {promise}");
                tally.skipped.push((promise, why));
            }
            Err(panic) => {
                println!("  BROKEN   {promise}");
                let why = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
                    .unwrap_or_default();
                let place = place_of_panic
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                tally
                    .broken
                    .push((promise, format!("{why}\n(noticed at {place})")));
            }
        }
    }
    let _ = std::panic::take_hook();
    tally
}

impl Tally {
    fn report(&self) -> ExitCode {
        for (promise, why) in &self.skipped {
            println!("\nskipped: {promise}\n  {why}");
        }
        for (promise, why) in &self.broken {
            println!("\nBROKEN: {promise}\n{why}");
        }
        let Self {
            kept,
            broken,
            skipped,
        } = self;
        println!(
            "\n{kept} kept, {} broken, {} skipped",
            broken.len(),
            skipped.len()
        );
        match (broken.is_empty(), *kept) {
            (false, _) => ExitCode::FAILURE,
            (true, 0) => ExitCode::from(2),
            (true, _) => ExitCode::SUCCESS,
        }
    }
}
