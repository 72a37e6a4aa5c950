//! Puts middleware before a component: a chain of `wasi:http/handler`, from the outermost to the component itself.
//!
//! Each link passes requests on through its import of the handler, which is the next link's export. What a link imports
//! besides comes from the host, as for dependencies: if it inherits the right to it.

use super::{DENIED, Error, deny, encode, register, world};
use anyturn_manifest::Inherit;
use std::collections::BTreeMap;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

/// What the links of a chain export, and import of each other.
const HANDLER: &str = "wasi:http/handler@0.3.0";

/// A middleware with its code.
pub(crate) struct Layer<'a> {
    /// Names it in errors.
    pub(crate) name: String,
    pub(crate) inherit: &'a Inherit,
    pub(crate) wasm: &'a [u8],
}

/// Composes; without layers the component stays as it is.
pub(crate) fn chain(id: &str, wasm: Vec<u8>, layers: &[Layer<'_>]) -> Result<Vec<u8>, Error> {
    if layers.is_empty() {
        return Ok(wasm);
    }
    let mut graph = CompositionGraph::new();
    let mut denied = BTreeMap::new();
    let package = register(&mut graph, &format!("anyturn-component:{id}"), &wasm)?;
    exports_handler(&graph, package, "the component")?;
    let component = graph.instantiate(package);
    share_denied(&mut graph, package, component, &mut denied)?;
    let mut next = graph.alias_instance_export(component, HANDLER).map_err(encode)?;
    for (number, layer) in layers.iter().enumerate().rev() {
        let package = register(
            &mut graph,
            &format!("anyturn-middleware:{id}-{number}"),
            layer.wasm,
        )?;
        exports_handler(&graph, package, &layer.name)?;
        if !graph.types()[world(&graph, package)]
            .imports
            .contains_key(HANDLER)
        {
            return Err(Error::NoMiddleware {
                name: layer.name.clone(),
                reason: format!("does not import {HANDLER}, so it could pass no request on"),
            });
        }
        let instance = graph.instantiate(package);
        deny(
            &mut graph,
            package,
            instance,
            layer.inherit,
            Some(HANDLER),
            &mut denied,
        )?;
        graph
            .set_instantiation_argument(instance, HANDLER, next)
            .map_err(encode)?;
        next = graph.alias_instance_export(instance, HANDLER).map_err(encode)?;
    }
    graph.export(next, HANDLER).map_err(encode)?;
    graph.encode(EncodeOptions::default()).map_err(encode)
}

fn exports_handler(graph: &CompositionGraph, package: PackageId, name: &str) -> Result<(), Error> {
    if graph.types()[world(graph, package)].exports.contains_key(HANDLER) {
        return Ok(());
    }
    Err(Error::NoMiddleware {
        name: name.to_owned(),
        reason: format!("does not export {HANDLER}, which everything in a chain of middleware must"),
    })
}

/// Has a component that was composed before import its refusals where the middleware does.
fn share_denied(
    graph: &mut CompositionGraph,
    package: PackageId,
    instance: NodeId,
    denied: &mut BTreeMap<String, NodeId>,
) -> Result<(), Error> {
    let imports: Vec<_> = graph.types()[world(graph, package)]
        .imports
        .iter()
        .filter_map(|(import, kind)| Some((import.strip_prefix(DENIED)?.to_owned(), *kind)))
        .collect();
    for (import, kind) in imports {
        let name = format!("{DENIED}{import}");
        let node = graph.import(&name, kind).map_err(encode)?;
        graph
            .set_instantiation_argument(instance, &name, node)
            .map_err(encode)?;
        denied.insert(import, node);
    }
    Ok(())
}
