//! The table and the JSON file.

use serde::Serialize;
use std::fmt::Write as _;

/// A figure, with what it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// The result.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it should be, if there is an aim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aim: Option<Aim>,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    machine: String,
    figures: Vec<Figure>,
}

impl Report {
    /// An empty report of this machine.
    pub fn new() -> Self {
        Self {
            machine: machine(),
            figures: Vec::new(),
        }
    }

    /// Adds a figure and prints it, so that a long run shows that it goes on.
    pub fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str, aim: Option<Aim>) {
        let figure = Figure {
            name: name.into(),
            value,
            unit,
            aim,
        };
        eprintln!("{}", row(&figure));
        self.figures.push(figure);
    }

    /// The figures that are not what they should be, by their full names.
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let mut whole = "";
        for figure in &self.figures {
            let name = figure.name.as_str();
            // "… p99" is said of what comes before it.
            let full = match name.strip_prefix('…') {
                Some(part) => format!("{whole}:{part}"),
                None => {
                    whole = name;
                    name.to_owned()
                }
            };
            if figure.is_missed() {
                missed.push(full);
            }
        }
        missed
    }

    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let mut table = format!("Measured on: {}\n\n", self.machine);
        let _ = writeln!(table, "| figure | value | aim | |\n|---|---:|---:|---|");
        for figure in &self.figures {
            let _ = writeln!(table, "{}", row(figure));
        }
        table
    }
}

impl Figure {
    fn is_missed(&self) -> bool {
        match self.aim {
            None => false,
            Some(Aim::AtLeast(least)) => self.value.is_nan() || self.value < least,
            Some(Aim::AtMost(most)) => self.value.is_nan() || self.value > most,
        }
    }
}

fn row(
    figure @ Figure {
        name,
        value,
        unit,
        aim,
    }: &Figure,
) -> String {
    let number = |value: f64| match value {
        value if value >= 1000.0 => {
            let digits = format!("{value:.0}");
            let split = digits.len().saturating_sub(3);
            format!(
                "{},{}",
                digits.get(..split).unwrap_or(""),
                digits.get(split..).unwrap_or("")
            )
        }
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    };
    let (aim, verdict) = match *aim {
        None => (String::new(), ""),
        Some(aim) => (
            match aim {
                Aim::AtLeast(least) => format!("≥ {}", number(least)),
                Aim::AtMost(most) => format!("≤ {}", number(most)),
            },
            if figure.is_missed() { "missed" } else { "✓" },
        ),
    };
    format!("| {name} | {} {unit} | {aim} | {verdict} |", number(*value))
}

fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = kernel.split('-').next().unwrap_or_default().trim();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores of {}, {} {release}",
        processor.as_deref().unwrap_or("an unnamed processor"),
        std::env::consts::OS
    )
}
