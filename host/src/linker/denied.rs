//! Refusals, for what a dependency imports and does not inherit.
//!
//! A denied interface exists under its name with [`crate::compose::DENIED`] before it. Its functions answer what
//! says "no" in their own types: an error case that means it, or an empty list, or none. A function that has
//! no such answer stops the component.

use crate::compose::DENIED;
use crate::guest::Guest;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType, Val};
use wasmtime::{Engine, Result, bail};

/// What a refusal says where it can say something.
const REASON: &str = "not inherited from the component that this one is a dependency of";

/// Cases of errors that mean that something is not allowed or not there, the plainest first.
const CASES: [&str; 12] = [
    "access-denied",
    "HTTP-request-denied",
    "denied",
    "not-permitted",
    "access",
    "unauthorized",
    "invalid-address",
    "undefined",
    "invalid",
    "unavailable",
    "other",
    "internal-error",
];

/// A resource of a denied interface; none is ever made.
struct Never;

/// Adds refusals for every denied import of `component`.
pub(crate) fn add(engine: &Engine, linker: &mut Linker<Guest>, component: &Component) -> Result<()> {
    linker.allow_shadowing(true);
    for (name, item) in component.component_type().imports(engine) {
        if let (true, ComponentItem::ComponentInstance(instance)) = (name.starts_with(DENIED), item.ty) {
            let mut denied = linker.instance(name)?;
            for (export, item) in instance.exports(engine) {
                refuse(&mut denied, name, export, &item.ty)?;
            }
        }
    }
    linker.allow_shadowing(false);
    Ok(())
}

fn refuse(
    denied: &mut LinkerInstance<'_, Guest>,
    interface: &str,
    name: &str,
    item: &ComponentItem,
) -> Result<()> {
    match item {
        ComponentItem::Resource(_) => denied.resource(name, ResourceType::host::<Never>(), |_, _| Ok(())),
        ComponentItem::ComponentFunc(function) => {
            let full = format!("{}#{name}", interface.trim_start_matches(DENIED));
            if function.async_() {
                denied.func_new_concurrent(name, move |_, function, _, results| {
                    let answered = answer(&function, results, &full);
                    Box::pin(async move { answered })
                })
            } else {
                denied.func_new(name, move |_, function, _, results| {
                    answer(&function, results, &full)
                })
            }
        }
        _ => Ok(()),
    }
}

/// Fills in the refusal.
fn answer(function: &ComponentFunc, results: &mut [Val], name: &str) -> Result<()> {
    for (ty, result) in function.results().zip(results) {
        match refusal(&ty) {
            Some(value) => *result = value,
            None => bail!("{name} is {REASON}"),
        }
    }
    Ok(())
}

/// The value of a type that says "no".
fn refusal(ty: &Type) -> Option<Val> {
    match ty {
        Type::List(_) => Some(Val::List(Vec::new())),
        Type::Option(_) => Some(Val::Option(None)),
        Type::Result(result) => {
            let error = match result.err() {
                Some(error) => Some(Box::new(error_of(&error)?)),
                None => None,
            };
            Some(Val::Result(Err(error)))
        }
        _ => None,
    }
}

fn error_of(ty: &Type) -> Option<Val> {
    match ty {
        Type::String => Some(Val::String(REASON.to_owned())),
        Type::Enum(cases) => {
            let names: Vec<&str> = cases.names().collect();
            Some(Val::Enum((*preferred(&names)?).to_owned()))
        }
        Type::Variant(variant) => {
            let cases: Vec<(&str, Option<Val>)> = variant
                .cases()
                .filter_map(|case| Some((case.name, payload(case.ty)?)))
                .collect();
            let names: Vec<&str> = cases.iter().map(|(name, _)| *name).collect();
            let name = preferred(&names)?;
            let (name, payload) = cases.into_iter().find(|(case, _)| *case == name)?;
            Some(Val::Variant(name.to_owned(), payload.map(Box::new)))
        }
        _ => None,
    }
}

/// The payload of an error's case, where one can be made up: none, a text, or none of something.
fn payload(ty: Option<Type>) -> Option<Option<Val>> {
    match ty {
        None => Some(None),
        Some(Type::String) => Some(Some(Val::String(REASON.to_owned()))),
        Some(Type::Option(_)) => Some(Some(Val::Option(None))),
        Some(_) => None,
    }
}

/// The case that says it best.
fn preferred<'a>(names: &[&'a str]) -> Option<&'a str> {
    CASES
        .iter()
        .find_map(|case| names.iter().find(|name| *name == case))
        .or_else(|| names.last())
        .copied()
}
