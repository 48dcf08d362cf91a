//! The whole distribution of latency: a curve for each scope, on the axis of nines that Gil Tene's
//! HdrHistogram is drawn on.

use maud::{Markup, html};

use crate::latency::LatencyHistogram;
use crate::report::html::ReportInput;
use crate::report::html::plot::{Size, px};
use crate::report::numbers::LatencyScope;
use crate::report::words;

/// Points of a curve for each nine.
const POINTS: usize = 24;
/// Curves; more cannot be told apart.
const CURVES_MAX: usize = 7;
/// Patterns of lines, so that curves can be told apart without colours.
const DASHES: [&str; 7] = ["none", "6 3", "2 2", "8 3 2 3", "12 4", "4 4", "1 3"];
const LEFT: f64 = 62.0;
const TOP: f64 = 8.0;
const PLOT: f64 = 190.0;

struct Curve {
    name: String,
    histogram: LatencyHistogram,
}

/// The figure; empty if no operation took effect.
pub(crate) fn figure(input: &ReportInput<'_>) -> Markup {
    let curves = curves(input);
    let Some(longest) = curves.iter().map(|curve| curve.histogram.count()).max() else {
        return html! {};
    };
    // One operation beyond the last nine drawn at least.
    let nines = (longest as f64).log10().clamp(1.0, 5.0);
    html! {
        figure {
            figcaption { "Latency that a share of operations does not exceed (both scales logarithmic)" }
            @for size in Size::BOTH { (drawing(&curves, nines, size)) }
            p.legend {
                @for (position, curve) in curves.iter().enumerate() {
                    span.curve-key {
                        svg viewBox="0 0 26 6" aria-hidden="true" {
                            line class={ "percentile k" (position % 6) } x1="0" x2="26" y1="3" y2="3"
                                stroke-dasharray=(DASHES[position]) {}
                        }
                        (curve.name)
                    }
                }
            }
        }
    }
}

fn curves(input: &ReportInput<'_>) -> Vec<Curve> {
    let rows = input.results.latency.iter().filter(|row| row.f.is_none());
    rows.filter_map(|row| {
        let name = match &row.scope {
            LatencyScope::Quiet => "no fault".to_owned(),
            LatencyScope::Fault(kind) => kind.clone(),
            LatencyScope::All | LatencyScope::UnderFault => return None,
        };
        let histogram = LatencyHistogram::decode(&row.histogram).ok()?;
        (histogram.count() > 0).then_some(Curve { name, histogram })
    })
    .take(CURVES_MAX)
    .collect()
}

fn drawing(curves: &[Curve], nines: f64, size: Size) -> Markup {
    let width = match size {
        Size::Wide => 1040.0,
        Size::Narrow => 332.0,
    };
    let right = width - 10.0;
    let at = |curve: &Curve, share: f64| curve.histogram.quantile(share).unwrap_or(1) as f64;
    let low = curves.iter().map(|curve| at(curve, 0.0)).fold(f64::MAX, f64::min).max(1_000.0);
    let high = curves.iter().map(|curve| at(curve, 1.0)).fold(0.0, f64::max).max(low * 2.0);
    let bottom_decade = low.log10().floor();
    let decades = (high.log10().ceil() - bottom_decade).max(1.0);
    let x = |nine: f64| LEFT + nine / nines * (right - LEFT);
    let y = |ns: f64| TOP + PLOT * (1.0 - (ns.max(1.0).log10() - bottom_decade) / decades);
    let path = |curve: &Curve| {
        let steps = (nines * POINTS as f64) as usize;
        let mut path = String::new();
        for step in 0..=steps {
            let nine = step as f64 / POINTS as f64;
            let share = 1.0 - 10f64.powf(-nine);
            // Beyond the last operation there is nothing to say.
            if curve.histogram.count() as f64 * (1.0 - share) < 1.0 {
                break;
            }
            path.push(if step == 0 { 'M' } else { 'L' });
            path.push_str(&format!("{} {}", px(x(nine)), px(y(at(curve, share)))));
        }
        // The longest one stands where it is the only one left.
        let last = (curve.histogram.count() as f64).log10().min(nines);
        path.push_str(&format!("L{} {}", px(x(last)), px(y(at(curve, 1.0)))));
        path
    };
    let height = TOP + PLOT + 30.0;
    let id = format!("percentiles-{}", size.class());
    html! {
        svg class={ "chart " (size.class()) } viewBox={ "0 0 " (width) " " (px(height)) } role="img"
            aria-labelledby={ (id) "-title " (id) "-desc" } {
            title id={ (id) "-title" } { "Percentiles of latency" }
            desc id={ (id) "-desc" } { "The table below has the numbers." }
            @for decade in 0..=decades as usize {
                @let ns = 10f64.powf(bottom_decade + decade as f64);
                line.grid x1=(LEFT) x2=(px(right)) y1=(px(y(ns))) y2=(px(y(ns))) {}
                text x=(LEFT - 8.0) y=(px(y(ns) + 4.0)) text-anchor="end" { (words::duration(ns as u64)) }
            }
            line.axis x1=(LEFT) x2=(px(right)) y1=(px(TOP + PLOT)) y2=(px(TOP + PLOT)) {}
            @for (nine, label) in [(0.0, "0 %"), (0.301, "50 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %"), (4.0, "99.99 %"), (5.0, "99.999 %")] {
                // Where it is narrow, two labels would cover each other.
                @if nine <= nines && (size == Size::Wide || nine != 0.301) {
                    line.axis x1=(px(x(nine))) x2=(px(x(nine))) y1=(px(TOP + PLOT)) y2=(px(TOP + PLOT + 4.0)) {}
                    text x=(px(x(nine).min(width - 20.0))) y=(px(TOP + PLOT + 18.0)) text-anchor="middle" { (label) }
                }
            }
            @for (position, curve) in curves.iter().enumerate() {
                path class={ "percentile k" (position % 6) } d=(path(curve)) stroke-dasharray=(DASHES[position]) {
                    title { (curve.name) }
                }
            }
        }
    }
}
