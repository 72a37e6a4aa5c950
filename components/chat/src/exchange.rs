//! One request and its answer: who is asking, how much they may, and what every answer carries.

use anyturn_engine::port::Environment;
use anyturn_engine::scope;
use anyturn_identity::{Config, Credentials, Identity, Mode, RateLimit, Variables, Verdict};
use anyturn_state::{Found, Query, Store, Write, Written};
use futures::try_join;
use http::{HeaderName, HeaderValue, Method, header, request};

use crate::http::cors::{self, Origin};
use crate::http::{Kind, Problem, Response, read, respond};
use crate::platform::Platform;

/// The longest request id that is taken over.
const MAX_REQUEST_ID: usize = 128;

/// A request's head, and what is found out about it on the way to its answer.
pub struct Exchange<'a, P> {
    /// Where it runs.
    pub platform: &'a P,
    /// The head of the request.
    pub parts: &'a request::Parts,
    /// Names the request in logs and problems.
    pub request_id: String,
    verdict: Option<Verdict>,
    origin: Origin,
}

/// Somebody who may go on.
pub struct Caller {
    /// Who it is.
    pub identity: Identity,
    limit: Option<RateLimit>,
}

impl Caller {
    /// The user's id.
    #[must_use]
    pub fn user(&self) -> &str {
        self.identity.user.as_str()
    }
}

impl<'a, P: Platform> Exchange<'a, P> {
    /// Begins an exchange. The host names requests; where none did, they are named here.
    pub fn new(platform: &'a P, parts: &'a request::Parts) -> Self {
        let given = read::header(&parts.headers, "x-request-id").filter(|id| {
            (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        });
        let request_id = given.map_or_else(
            || format!("{:032x}", platform.environment().random()),
            ToOwned::to_owned,
        );
        Self {
            platform,
            parts,
            request_id,
            verdict: None,
            origin: Origin::Own,
        }
    }

    /// Judges the request's origin. Has to come first, before anything happens.
    ///
    /// # Errors
    /// When the page that sent it may not.
    pub async fn check_origin(&mut self) -> Result<(), Problem> {
        if let Some(origin) = cors::foreign(&self.parts.headers, &self.parts.uri) {
            let list = self.variable("cors_origins").await?;
            self.origin = cors::judge(origin, &list)?;
        }
        Ok(())
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        read::header(&self.parts.headers, name)
    }

    /// A variable.
    ///
    /// # Errors
    /// When it cannot be resolved.
    pub async fn variable(&self, name: &'static str) -> Result<String, Problem> {
        self.platform.variable(name).await.map_err(|reason| {
            Problem::new(
                Kind::Misconfigured,
                format!("The variable `{name}` cannot be read: {reason}."),
            )
            .with("variable", name)
        })
    }

    /// How callers are identified and limited.
    async fn config(&self) -> Result<Config, Problem> {
        let (development_user, jwt_secret, jwt_issuer, jwt_audience, api_keys, rate_limit_per_minute) = try_join!(
            self.variable("development_user"),
            self.variable("jwt_secret"),
            self.variable("jwt_issuer"),
            self.variable("jwt_audience"),
            self.variable("api_keys"),
            self.variable("rate_limit_per_minute"),
        )?;
        let variables = Variables {
            development_user: &development_user,
            jwt_secret: &jwt_secret,
            jwt_issuer: &jwt_issuer,
            jwt_audience: &jwt_audience,
            api_keys: &api_keys,
            rate_limit_per_minute: &rate_limit_per_minute,
        };
        Config::parse(&variables).map_err(|error| {
            Problem::new(Kind::Misconfigured, sentence(&error.to_string())).with("variable", error.variable)
        })
    }

    /// Finds out who is calling.
    ///
    /// # Errors
    /// 401, or 500 when a variable is wrong.
    pub async fn identify(&self) -> Result<Caller, Problem> {
        let config = self.config().await?;
        if matches!(config.mode(), Mode::Development(_)) {
            self.check_host()?;
        }
        let credentials = Credentials {
            authorization: self.header("authorization"),
            api_key: self.header("x-api-key"),
        };
        let identity = config
            .identify(&credentials, self.platform.environment().now())
            .map_err(|error| {
                Problem::new(Kind::Unauthorized, sentence(&error.to_string()))
                    .header(header::WWW_AUTHENTICATE, error.www_authenticate())
            })?;
        Ok(Caller {
            identity,
            limit: config.rate_limit,
        })
    }

    /// Where everybody is let in, everybody has to be on this machine.
    fn check_host(&self) -> Result<(), Problem> {
        match cors::host(&self.parts.headers, &self.parts.uri) {
            Some(host) if !cors::is_loopback(host) => Err(Problem::new(
                Kind::OriginNotAllowed,
                format!(
                    "The development user is for this machine only, and the request was sent to `{host}`: use \
                     localhost, or configure `jwt_secret` or `api_keys`."
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Counts the request against its user's limit, in one commit with further writes to and queries of the user's
    /// shard.
    ///
    /// # Errors
    /// 429, and then the writes have happened; 503 when the store is down.
    pub async fn count(
        &mut self,
        caller: &Caller,
        writes: Vec<Write>,
        queries: Vec<Query>,
    ) -> Result<Vec<Found>, Problem> {
        self.count_as(caller.user(), caller.limit, writes, queries).await
    }

    /// Counts a request of somebody who cannot say who they are yet against the limit of their address.
    ///
    /// # Errors
    /// As of [`Exchange::count`].
    pub async fn count_stranger(&mut self) -> Result<(), Problem> {
        let limit = self.config().await?.rate_limit;
        let address = self.header("spin-client-addr").unwrap_or_default();
        let address = address.rsplit_once(':').map_or(address, |(address, _)| address);
        // No user's id has a blank.
        let stranger = format!("stranger {address}");
        self.count_as(&stranger, limit, Vec::new(), Vec::new()).await?;
        Ok(())
    }

    async fn count_as(
        &mut self,
        user: &str,
        limit: Option<RateLimit>,
        mut writes: Vec<Write>,
        queries: Vec<Query>,
    ) -> Result<Vec<Found>, Problem> {
        if let Some(limit) = limit {
            writes.insert(0, limit.write(scope::rate(user)));
        }
        if writes.is_empty() && queries.is_empty() {
            return Ok(Vec::new());
        }
        let done = self
            .platform
            .store()
            .commit(&scope::shard(user), writes, queries)
            .await?;
        if let (Some(limit), Some(Written::Counter(counter))) = (limit, done.written.first()) {
            let verdict = limit.judge(*counter);
            self.verdict = Some(verdict);
            if !verdict.allowed {
                return Err(Problem::new(
                    Kind::RateLimited,
                    format!(
                        "The limit of {} requests per minute is used up; it begins anew in {} s.",
                        verdict.limit, verdict.reset
                    ),
                )
                .with("limit", verdict.limit)
                .with("retry_after_seconds", verdict.reset));
            }
        }
        Ok(done.found)
    }

    /// Finishes an answer: adds what every answer carries.
    pub fn finish(&self, response: &mut Response) {
        respond::put_common_headers(response, &self.request_id);
        let preflight = cors::is_preflight(&self.parts.method, &self.parts.headers);
        cors::put_headers(&self.origin, preflight, response);
        for (name, value) in self.verdict.iter().flat_map(Verdict::headers) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
        }
        if self.parts.method == Method::HEAD {
            *response.body_mut() = crate::http::Body::empty();
        }
    }
}

/// A reason as a sentence.
#[must_use]
pub fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    let mut text: String = letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}
