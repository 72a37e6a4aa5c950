//! Sign-in with Google, and the Google accounts that users have connected.
//!
//! Promises:
//! - `POST /auth/google` believes an ID token only after it has checked all of it ([`id_token`]), by Google's published
//!   keys ([`keys`]), and answers with a token of ours that `chat` accepts. A user's id follows from Google's `sub`
//!   and from nothing else.
//! - `POST /auth/google/authorize` and `GET /auth/google/callback` connect a Google account by OAuth's authorization
//!   code flow with PKCE (RFC 6749, RFC 7636, RFC 9700). A flow is for one user, works once, and ends after ten
//!   minutes; nobody's account is connected to a stranger's without a person seeing to whom ([`connect`]).
//! - `GET` and `DELETE /auth/google/account` show and forget it. It is forgotten even when Google does not answer.
//! - `POST /token` gives a tool's component a short-lived access token of the caller's account ([`token`]), refreshed
//!   once however many ask at the same time.
//! - What is secret is sealed before it is stored ([`seal`]), and stands in no error, log or debug output ([`secret`]).
//!
//! Who calls stands in the header `anyturn-user`, which `chat` sets: the component's route is private, and `/token` is
//! not passed on to the outside. Limits per user and the origins of web pages are `chat`'s matter, too.

pub mod account;
pub mod answer;
pub mod connect;
mod flight;
pub mod google;
pub mod id_token;
pub mod keys;
mod pages;
pub mod platform;
mod route;
pub mod seal;
pub mod secret;
pub mod settings;
mod sign_in;
pub mod token;

#[cfg(target_arch = "wasm32")]
mod component;

pub use route::handle;
