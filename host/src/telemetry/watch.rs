//! Where calls, and what components do in them, stand in traces.

use super::conventions;
use super::traces::{Place, Span, Traces};
use std::sync::OnceLock;
use std::time::Instant;

/// The most spans that are known to be entered at the same time.
const DEEPEST: usize = 64;

/// Where a call stands.
#[derive(Debug, Default)]
pub(crate) enum Watch {
    /// Nowhere.
    #[default]
    Untraced,
    /// In the span of its own that it has.
    At(Place),
    /// In a trace of its own, which begins with the first span that a component begins: a tick has nothing to tell
    /// before.
    Tick(Box<Tick>),
}

/// A request that the host makes by itself.
#[derive(Debug)]
pub(crate) struct Tick {
    component: String,
    path: String,
    began: Instant,
    span: OnceLock<Span>,
}

impl Watch {
    /// A call whose own span this is.
    pub(crate) fn of(span: &Span) -> Self {
        span.place().cloned().map_or(Self::Untraced, Self::At)
    }

    /// A tick.
    pub(crate) fn tick(traces: &Traces, component: &str, path: &str) -> Self {
        if !traces.are_made() {
            return Self::Untraced;
        }
        Self::Tick(Box::new(Tick {
            component: component.to_owned(),
            path: path.to_owned(),
            began: Instant::now(),
            span: OnceLock::new(),
        }))
    }

    /// The call's place, if it has one yet.
    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Self::Untraced => None,
            Self::At(place) => Some(place),
            Self::Tick(tick) => tick.span.get().and_then(Span::place),
        }
    }

    /// The call's place for something that is worth telling.
    pub(crate) fn place_for_work(&self, traces: &Traces) -> Option<&Place> {
        if let Self::Tick(tick) = self {
            let ago = || tick.began.elapsed();
            let begin = || traces.begin(|| conventions::tick(&tick.component, &tick.path, ago()));
            return tick.span.get_or_init(begin).place();
        }
        self.place()
    }

    /// The span of a tick that had something to tell.
    pub(crate) fn told(&self) -> Option<&Span> {
        match self {
            Self::Tick(tick) => tick.span.get(),
            Self::Untraced | Self::At(_) => None,
        }
    }
}

/// The spans that an instance has begun and not dropped, and those that it has entered and not left, by the numbers of
/// their resources.
#[derive(Debug, Default)]
pub(crate) struct Open {
    begun: Vec<(u32, Place)>,
    entered: Vec<(u32, Place)>,
}

impl Open {
    /// Where something belongs that the component asks for now.
    pub(crate) fn place(&self) -> Option<&Place> {
        let (_, place) = self.entered.last().or(self.begun.last())?;
        Some(place)
    }

    /// A span has begun.
    pub(crate) fn begin(&mut self, number: u32, place: Option<&Place>) {
        self.begun.extend(place.map(|place| (number, place.clone())));
    }

    /// The component works within a span.
    pub(crate) fn enter(&mut self, number: u32, place: Option<&Place>) {
        if self.entered.len() < DEEPEST {
            self.entered.extend(place.map(|place| (number, place.clone())));
        }
    }

    /// It does something else.
    pub(crate) fn leave(&mut self, number: u32) {
        self.entered.pop_if(|(last, _)| *last == number);
    }

    /// A span has ended.
    pub(crate) fn end(&mut self, number: u32) {
        self.begun.retain(|(other, _)| *other != number);
        self.entered.retain(|(other, _)| *other != number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

    fn place(span: u32) -> Place {
        let parent = format!("00-0af7651916cd43dd8448eb211c80319c-{span:016x}-01");
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::try_from(parent).unwrap());
        Place::of_headers(&headers).unwrap()
    }

    fn at(open: &Open) -> Option<String> {
        let mut headers = HeaderMap::new();
        open.place()?.put(&mut headers);
        Some(headers["traceparent"].to_str().unwrap()[36..52].to_owned())
    }

    #[test]
    fn what_is_asked_for_belongs_to_the_span_entered_last_else_to_the_one_begun_last() {
        let mut open = Open::default();
        assert_eq!(at(&open), None);
        for number in [1, 2, 3] {
            open.begin(number, Some(&place(number)));
        }
        let number = |number: u32| Some(format!("{number:016x}"));
        assert_eq!(at(&open), number(3));
        open.enter(1, Some(&place(1)));
        assert_eq!(at(&open), number(1));
        open.enter(2, Some(&place(2)));
        assert_eq!(at(&open), number(2));
        open.leave(1);
        assert_eq!(at(&open), number(2), "only the last one can be left");
        open.leave(2);
        assert_eq!(at(&open), number(1));
        open.end(1);
        assert_eq!(at(&open), number(3), "what has ended is left");
        open.end(3);
        assert_eq!(at(&open), number(2));
    }

    #[test]
    fn a_component_that_never_leaves_costs_no_memory() {
        let mut open = Open::default();
        for number in 0..10_000 {
            open.enter(number, Some(&place(1)));
        }
        assert_eq!(open.entered.len(), DEEPEST);
    }

    #[test]
    fn what_nobody_traces_is_nowhere() {
        let traces = Traces::off();
        for watch in [
            Watch::of(&Span::default()),
            Watch::tick(&traces, "chat", "/internal/tick"),
        ] {
            assert!(watch.place_for_work(&traces).is_none() && watch.told().is_none());
        }
    }
}
