//! Reads the OpenMetrics text format (version 1.0), as the registry of series writes it.
//!
//! The registry gives its series away in two ways, as text and as protobuf; the latter would have every build compile
//! Prometheus' definitions. It is not a reader of what anybody writes: what the registry does not write, such as exemplars
//! and timestamps, is an error.

/// A metric: all of its series.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Family<'t> {
    pub(super) name: &'t str,
    pub(super) help: &'t str,
    pub(super) unit: &'t str,
    /// `counter`, `gauge`, `histogram`, …
    pub(super) kind: &'t str,
    pub(super) samples: Vec<Sample<'t>>,
}

/// One number.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'t> {
    /// The family's name, and what the number is of it: `_total`, `_sum`, …
    pub(super) name: &'t str,
    pub(super) labels: Vec<(&'t str, String)>,
    pub(super) value: &'t str,
}

/// Reads a text to its end.
pub(super) fn read(text: &str) -> Result<Vec<Family<'_>>, String> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for line in text.lines() {
        if line == "# EOF" {
            return Ok(families);
        }
        take(line, &mut families)
            .ok_or_else(|| format!("the series have a line that says nothing: {line:?}"))?;
    }
    Err("the series have no end".to_owned())
}

fn take<'t>(line: &'t str, families: &mut Vec<Family<'t>>) -> Option<()> {
    let Some(told) = line.strip_prefix("# ") else {
        families.last_mut()?.samples.push(sample(line)?);
        return Some(());
    };
    let (what, told) = told.split_once(' ')?;
    let (name, told) = told.split_once(' ')?;
    if families.last().is_none_or(|family| family.name != name) {
        families.push(Family {
            name,
            ..Family::default()
        });
    }
    let family = families.last_mut()?;
    match what {
        "HELP" => family.help = told,
        "TYPE" => family.kind = told,
        "UNIT" => family.unit = told,
        _ => return None,
    }
    Some(())
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let (name, labels, value) = match line.split_once('{') {
        Some((name, rest)) => {
            let (labels, rest) = labels(rest)?;
            (name, labels, rest.strip_prefix(' ')?)
        }
        None => {
            let (name, value) = line.split_once(' ')?;
            (name, Vec::new(), value)
        }
    };
    let sane = !value.is_empty() && !value.contains(' ');
    sane.then_some(Sample { name, labels, value })
}

/// Labels up to the brace that closes them, and what stands behind it.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, behind) = quoted_to_end(quoted)?;
        labels.push((name, value));
        rest = behind.strip_prefix(',').unwrap_or(behind);
    }
}

/// A value up to the quote that closes it, and what stands behind that.
fn quoted_to_end(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = quoted.chars();
    loop {
        match letters.next()? {
            '"' => return Some((value, letters.as_str())),
            '\\' => value.push(match letters.next()? {
                'n' => '\n',
                other => other,
            }),
            letter => value.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family as Labelled;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::registry::{Registry, Unit};

    #[test]
    fn what_the_registry_writes_is_read_again_whatever_names_hold() {
        let strange = "a \"quoted\", {braced} = \\n\nname";
        let mut registry = Registry::with_prefix("shop");
        let sold = Labelled::<Vec<(String, String)>, Counter>::default();
        registry.register("sold", "What was sold", sold.clone());
        let labels = vec![
            ("what".to_owned(), strange.to_owned()),
            ("where".to_owned(), String::new()),
        ];
        sold.get_or_create(&labels).inc_by(3);
        let waits = Histogram::new([0.5, 1.0]);
        registry.register_with_unit("wait", "In the queue", Unit::Seconds, waits.clone());
        waits.observe(0.75);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();

        let families = read(&text).unwrap();
        let [sold, waits] = &families[..] else {
            panic!("{families:?}")
        };
        assert_eq!(
            *sold,
            Family {
                name: "shop_sold",
                help: "What was sold.",
                unit: "",
                kind: "counter",
                samples: vec![Sample {
                    name: "shop_sold_total",
                    labels: vec![("what", strange.to_owned()), ("where", String::new())],
                    value: "3",
                }],
            }
        );
        assert_eq!(
            (waits.name, waits.unit, waits.kind),
            ("shop_wait_seconds", "seconds", "histogram")
        );
        let buckets: Vec<_> = waits
            .samples
            .iter()
            .filter(|sample| sample.name == "shop_wait_seconds_bucket")
            .map(|sample| (sample.labels[0].1.as_str(), sample.value))
            .collect();
        assert_eq!(buckets, [("0.5", "0"), ("1.0", "1"), ("+Inf", "1")]);
    }

    #[test]
    fn what_the_registry_does_not_write_is_an_error_that_names_the_line() {
        for line in [
            "shop_sold_total",
            "shop_sold_total{what=\"a} 1",
            "shop_sold_total{what} 1",
            "shop_sold_total 1 1700000000",
            "# NOTE shop_sold what else",
            "",
        ] {
            let text = format!("# TYPE shop_sold counter\n{line}\n# EOF\n");
            let wrong = read(&text).unwrap_err();
            assert!(wrong.contains(&format!("{line:?}")), "{wrong}");
        }
        assert!(read("shop_sold_total 1\n# EOF\n").is_err(), "of no metric");
        assert!(read("# TYPE shop_sold counter\n").is_err(), "cut off");
    }
}
