//! What all charts share: the frame, the time axis, and the strip of faults above the plot.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use crate::nemesis::fault::FAULTS;
use crate::nemesis::record::FaultOutcome;
use crate::report::numbers::FaultWindow;
use crate::report::words;

/// Two drawings of each chart, so that text has its real size on a desk and on a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Wide,
    Narrow,
}

impl Size {
    pub(crate) const BOTH: [Size; 2] = [Size::Wide, Size::Narrow];

    pub(crate) fn class(self) -> &'static str {
        match self {
            Size::Wide => "wide",
            Size::Narrow => "narrow",
        }
    }

    fn width(self) -> f64 {
        match self {
            Size::Wide => 1040.0,
            Size::Narrow => 332.0,
        }
    }
}

/// The geometry of one chart.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) size: Size,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

pub(crate) const STRIP_ROW: f64 = 19.0;
/// Where the first row of the strip begins.
pub(crate) const STRIP_TOP: f64 = 4.0;
pub(crate) const STRIP_BAR: f64 = STRIP_ROW - 4.0;
const CHARACTER: f64 = 6.2;

impl Frame {
    /// A frame for the time from `from` to `to`, with room for the strip of these faults.
    pub(crate) fn new(size: Size, from: u64, to: u64, strip: &FaultStrip) -> Frame {
        let top = strip.height() + if strip.rows > 0 { 6.0 } else { 0.0 };
        let plot_height = match size {
            Size::Wide => 200.0,
            Size::Narrow => 170.0,
        };
        let height = top + plot_height + 30.0;
        let width = size.width();
        let left = match size {
            Size::Wide => 62.0,
            Size::Narrow => 50.0,
        };
        let right = match size {
            Size::Wide => width - 44.0,
            Size::Narrow => width - 8.0,
        };
        Frame {
            size,
            width,
            height,
            left,
            right,
            top,
            bottom: height - 30.0,
            from,
            to: to.max(from + 1),
        }
    }

    /// The same with another height of its plot.
    pub(crate) fn with_plot_height(mut self, height: f64) -> Frame {
        self.bottom = self.top + height;
        self.height = self.bottom + 30.0;
        self
    }

    pub(crate) fn x(&self, time: u64) -> f64 {
        let time = time.clamp(self.from, self.to);
        let share = (time - self.from) as f64 / (self.to - self.from) as f64;
        self.left + share * (self.right - self.left)
    }

    /// `share` 0 is the bottom of the plot, 1 the top.
    pub(crate) fn y(&self, share: f64) -> f64 {
        self.bottom - share.clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    /// Ticks and labels of the time axis, in seconds since the run began.
    pub(crate) fn time_axis(&self) -> Markup {
        let ticks = if self.size == Size::Wide { 12 } else { 5 };
        let step = nice_step((self.to - self.from) as f64 / 1e9, ticks);
        let first = (self.from as f64 / 1e9 / step).ceil() as u64;
        let last = (self.to as f64 / 1e9 / step).floor() as u64;
        html! {
            line.axis x1=(px(self.left)) x2=(px(self.right)) y1=(px(self.bottom)) y2=(px(self.bottom)) {}
            @for tick in first..=last {
                @let seconds = tick as f64 * step;
                @let x = self.x((seconds * 1e9) as u64);
                line.axis x1=(px(x)) x2=(px(x)) y1=(px(self.bottom)) y2=(px(self.bottom + 4.0)) {}
                @let at_edge = x + 14.0 > self.width;
                text x=(px(if at_edge { self.width } else { x })) y=(px(self.bottom + 18.0))
                    text-anchor=(if at_edge { "end" } else { "middle" }) {
                    (number(seconds)) @if tick == last { " s" }
                }
            }
        }
    }

    /// A horizontal line with its label on the left.
    pub(crate) fn level(&self, share: f64, label: &str) -> Markup {
        let y = self.y(share);
        html! {
            line.grid x1=(px(self.left)) x2=(px(self.right)) y1=(px(y)) y2=(px(y)) {}
            text x=(px(self.left - 8.0)) y=(px(y + 4.0)) text-anchor="end" { (label) }
        }
    }

    /// The faults: a labelled bar in the strip, and shade down through the plot.
    pub(crate) fn faults(&self, strip: &FaultStrip) -> Markup {
        html! {
            @for placed in &strip.placed {
                @if placed.window.end > self.from && placed.window.start < self.to {
                    (self.fault(placed))
                }
            }
        }
    }

    fn fault(&self, placed: &Placed) -> Markup {
        let window = &placed.window;
        let (x, end) = (self.x(window.start), self.x(window.end));
        let width = (end - x).max(2.0);
        let y = placed.y();
        let uncertain = window.outcome == FaultOutcome::Indeterminate;
        html! {
            g class={ "fault k" (placed.colour) @if uncertain { " uncertain" } } {
                title { (fault_title(window)) }
                rect.shade x=(px(x)) y=(px(self.top)) width=(px(width)) height=(px(self.bottom - self.top)) {}
                rect.bar x=(px(x)) y=(px(y)) width=(px(width)) height=(px(STRIP_BAR)) rx="3" {}
                @if let Some(label) = fitting_label(window, width) {
                    text x=(px(x + width / 2.0)) y=(px(y + 11.5)) text-anchor="middle" { (label) }
                }
            }
        }
    }
}

/// `Fault 3: partition: majorities-ring, 12.00 s to 17.03 s`
pub(crate) fn fault_title(window: &FaultWindow) -> String {
    let doubt = match window.outcome {
        FaultOutcome::Indeterminate => ", not surely",
        FaultOutcome::Installed | FaultOutcome::Skipped => "",
    };
    let evidence = match window.evidence.as_str() {
        "" => String::new(),
        seen => format!("; {seen}"),
    };
    format!(
        "Fault {}: {}, {} to {}{doubt}{evidence}",
        window.index,
        window.description,
        words::moment(window.start),
        words::moment(window.end)
    )
}

/// The longest label that fits: kind and number, the kind, or the number in the table of faults.
pub(crate) fn fitting_label(window: &FaultWindow, width: f64) -> Option<String> {
    [format!("{} {}", window.kind, window.index), window.kind.clone(), window.index.to_string()]
        .into_iter()
        .find(|label| label.chars().count() as f64 * CHARACTER + 4.0 <= width)
}

/// Faults placed in rows, so that those which overlap in time do not cover each other.
#[derive(Debug, Clone)]
pub(crate) struct FaultStrip {
    pub(crate) placed: Vec<Placed>,
    pub(crate) rows: usize,
}

impl FaultStrip {
    /// How much room it takes above a plot.
    pub(crate) fn height(&self) -> f64 {
        2.0 * STRIP_TOP + STRIP_ROW * self.rows as f64
    }
}

impl Placed {
    /// The top of its bar.
    pub(crate) fn y(&self) -> f64 {
        STRIP_TOP + STRIP_ROW * self.row as f64
    }
}

/// A fault in a row of the strip.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) window: FaultWindow,
    pub(crate) row: usize,
    /// The number of the colour class of its kind. Labels say the kind as well.
    pub(crate) colour: usize,
}

impl FaultStrip {
    /// All faults.
    pub(crate) fn new(windows: &[FaultWindow]) -> FaultStrip {
        FaultStrip::between(windows, 0, u64::MAX)
    }

    /// The faults in force at some moment between the two; kinds keep their colours.
    pub(crate) fn between(windows: &[FaultWindow], from: u64, to: u64) -> FaultStrip {
        let colours = colours(windows);
        let mut row_ends: Vec<u64> = Vec::new();
        let placed: Vec<Placed> = windows
            .iter()
            .filter(|window| window.start <= to && window.end >= from)
            .map(|window| {
                let free = row_ends.iter().position(|&end| end <= window.start);
                let row = free.unwrap_or(row_ends.len());
                if row == row_ends.len() {
                    row_ends.push(0);
                }
                row_ends[row] = window.end;
                Placed { window: window.clone(), row, colour: colours[window.kind.as_str()] }
            })
            .collect();
        FaultStrip { placed, rows: row_ends.len() }
    }
}

/// Colours that the style has.
const COLOURS: usize = 6;

/// A kind has the same colour in every report, unless another one of the run has it already.
fn colours(windows: &[FaultWindow]) -> BTreeMap<&str, usize> {
    let place = |kind: &str| FAULTS.iter().position(|it| it.name == kind).unwrap_or(FAULTS.len());
    let kinds: BTreeSet<(usize, &str)> =
        windows.iter().map(|window| (place(&window.kind), window.kind.as_str())).collect();
    let mut colours: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, kind) in kinds {
        let is_free = |colour: &usize| colours.values().all(|taken| taken != colour);
        let free = (place..place + COLOURS).map(|it| it % COLOURS).find(is_free);
        colours.insert(kind, free.unwrap_or(place % COLOURS));
    }
    colours
}

/// A coordinate with one decimal at most, to keep the page small.
pub(crate) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// 1, 2 or 5 times a power of ten, for about `ticks` steps.
pub(crate) fn nice_step(length: f64, ticks: usize) -> f64 {
    let raw = (length / ticks as f64).max(1e-9);
    let power = 10f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= raw * 0.999)
        .unwrap_or(10.0 * power)
}

/// A number of an axis without needless zeros.
pub(crate) fn number(value: f64) -> String {
    if value >= 1000.0 {
        return words::count(value.round() as u64);
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(index: u64, start: u64, end: u64) -> FaultWindow {
        FaultWindow {
            index,
            kind: "kill".to_owned(),
            description: "kill n1".to_owned(),
            outcome: FaultOutcome::Installed,
            evidence: String::new(),
            start,
            end,
        }
    }

    #[test]
    fn overlapping_faults_get_rows_of_their_own() {
        let strip = FaultStrip::new(&[window(0, 0, 10), window(1, 5, 15), window(2, 10, 20)]);
        let rows: Vec<usize> = strip.placed.iter().map(|placed| placed.row).collect();
        assert_eq!(rows, [0, 1, 0]);
        assert_eq!(strip.rows, 2);
    }

    #[test]
    fn steps_are_one_two_or_five() {
        for (length, ticks, step) in [(60.0, 12, 5.0), (10.0, 5, 2.0), (0.05, 5, 0.01)] {
            assert!((nice_step(length, ticks) - step).abs() < 1e-9);
        }
    }

    #[test]
    fn a_label_is_shortened_to_the_kind_then_the_number_and_then_left_out() {
        assert_eq!(fitting_label(&window(3, 0, 1), 100.0).as_deref(), Some("kill 3"));
        assert_eq!(fitting_label(&window(3, 0, 1), 34.0).as_deref(), Some("kill"));
        assert_eq!(fitting_label(&window(3, 0, 1), 20.0).as_deref(), Some("3"));
        assert_eq!(fitting_label(&window(3, 0, 1), 8.0), None);
    }
}
