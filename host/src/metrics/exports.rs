//! What became of exports of the series themselves.

use super::registering::series;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Export {
    outcome: &'static str,
}

/// Exports by outcome. Clones count the same.
#[derive(Clone)]
pub(crate) struct Exports {
    exported: Counter,
    failed: Counter,
}

impl Exports {
    /// Series which `registry` knows from now on, and which are there from the beginning.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let all: Family<Export, Counter> = series(
            registry,
            "metric_exports",
            "Exports of metrics by OTLP, by what became of them",
            Family::default(),
        );
        let of = |outcome| all.get_or_create_owned(&Export { outcome });
        Self {
            exported: of("exported"),
            failed: of("failed"),
        }
    }

    /// One ended.
    pub(crate) fn ended(&self, succeeded: bool) {
        match succeeded {
            true => self.exported.inc(),
            false => self.failed.inc(),
        };
    }
}
