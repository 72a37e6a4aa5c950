//! The names of keys.

/// The keys of one scope.
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// Both have passed [`crate::limits`], so that the namespace ends at the first `/` and no brace is in them.
    pub(super) fn new(namespace: &str, scope: &str) -> Self {
        Self {
            prefix: ["anyturn:{", namespace, "/", scope, "}:"].concat(),
        }
    }

    pub(super) fn journal(&self, name: &str) -> String {
        self.key("j:", name)
    }

    pub(super) fn checkpoint(&self, journal: &str) -> String {
        self.key("k:", journal)
    }

    pub(super) fn document(&self, name: &str) -> String {
        self.key("d:", name)
    }

    pub(super) fn counter(&self, name: &str) -> String {
        self.key("c:", name)
    }

    pub(super) fn index(&self, name: &str) -> String {
        self.key("x:", name)
    }

    pub(super) fn index_values(&self, index: &str) -> String {
        self.key("v:", index)
    }

    pub(super) fn lease(&self, name: &str) -> String {
        self.key("l:", name)
    }

    /// The keys of the queue that this scope is, in the order of `scripts/queue.lua`.
    pub(super) fn queue(&self) -> Vec<String> {
        ["due", "running", "jobs", "payloads", "dead", "done"]
            .map(|part| self.key("q:", part))
            .into()
    }

    fn key(&self, kind: &str, name: &str) -> String {
        [&self.prefix, kind, name].concat()
    }
}
