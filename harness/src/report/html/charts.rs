//! Throughput and latency over time, with the faults shaded.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::report::html::plot::{FaultStrip, Frame, Size, nice_step, number, px};
use crate::report::html::{ReportInput, percentiles, roles, tables};
use crate::report::numbers::Series;
use crate::report::words;

pub(crate) fn throughput_section(input: &ReportInput<'_>) -> Markup {
    html! {
        section #operations {
            h2 { "Operations" }
            @if input.results.operations.is_empty() {
                p { "No operation ran." }
            } @else {
                figure {
                    figcaption { "Completions per second" }
                    @for size in Size::BOTH { (throughput(input, size)) }
                    p.legend {
                        span.key.ok { "Ok" } span.key.fail { "Fail" } span.key.info { "Info" }
                        (fault_legend(input))
                    }
                }
                (tables::operations(input))
            }
        }
    }
}

pub(crate) fn latency_section(input: &ReportInput<'_>) -> Markup {
    if input.results.operations.is_empty() {
        return html! {};
    }
    html! {
        section #latency {
            h2 { "Latency" }
            figure {
                figcaption { "Latency of operations by the moment they should have started (log scale)" }
                @for size in Size::BOTH { (latency(input, size)) }
                p.legend {
                    span.key.line.p50 { "p50" } span.key.line.p99 { "p99 (dashed)" }
                    (fault_legend(input))
                }
            }
            @let (frame, _) = frame(input, Size::Wide);
            (roles::figure(input, frame.from, frame.to))
            (percentiles::figure(input))
            (tables::latency(input))
        }
    }
}

fn fault_legend(input: &ReportInput<'_>) -> Markup {
    html! {
        @if !input.results.fault_windows.is_empty() {
            span.muted { "Shaded: a fault in force; numbers as in the " a href="#faults" { "table of faults" } "." }
        }
    }
}

fn frame(input: &ReportInput<'_>, size: Size) -> (Frame, FaultStrip) {
    let series = &input.results.series;
    let buckets = series.p50.len() as u64;
    let strip = FaultStrip::new(&input.results.fault_windows);
    let end = (series.start + buckets * series.bucket).min(input.facts.end).max(series.start + 1);
    (Frame::new(size, series.start, end, &strip), strip)
}

fn throughput(input: &ReportInput<'_>, size: Size) -> Markup {
    let series = &input.results.series;
    let (frame, strip) = frame(input, size);
    let layers = stacked(series, frame.to);
    let peak = layers[2].iter().copied().fold(0.0, f64::max).max(1.0);
    let step = nice_step(peak, 4);
    let levels = (peak / step).ceil().max(1.0) as usize;
    let top = levels as f64 * step;
    let zero = vec![0.0; layers[0].len()];
    let id = format!("throughput-{}", size.class());
    html! {
        svg class={ "chart " (size.class()) } viewBox=(view_box(&frame)) role="img"
            aria-labelledby={ (id) "-title " (id) "-desc" } {
            title id={ (id) "-title" } { "Completions per second over time" }
            desc id={ (id) "-desc" } { (throughput_words(&layers)) }
            @for level in 0..=levels {
                (frame.level(level as f64 / levels as f64, &number(level as f64 * step)))
            }
            (frame.faults(&strip))
            @for (position, class) in ["ok", "fail", "info"].into_iter().enumerate() {
                @let below = if position == 0 { &zero } else { &layers[position - 1] };
                path class={ "area " (class) } d=(area(&frame, series, below, &layers[position], top)) {}
            }
            (frame.time_axis())
        }
    }
}

/// Rates per second, each layer on top of the one before: ok, then fail, then info. Of the last interval
/// only that before `end` counts; of less than half an interval no rate can be told.
fn stacked(series: &Series, end: u64) -> [Vec<f64>; 3] {
    let length = |bucket: usize| {
        let start = series.start + bucket as u64 * series.bucket;
        end.saturating_sub(start).min(series.bucket)
    };
    let is_long = |bucket: &usize| 2 * length(*bucket) >= series.bucket;
    let all = series.p50.len();
    let drawn = (0..all).take_while(is_long).count().max(1).min(all);
    let mut layers = [(); 3].map(|()| vec![0.0; drawn]);
    for of_f in &series.throughput {
        for (position, counts) in [&of_f.ok, &of_f.fail, &of_f.info].into_iter().enumerate() {
            for (bucket, &count) in counts.iter().enumerate().take(drawn) {
                for layer in &mut layers[position..] {
                    layer[bucket] += count as f64 * 1e9 / length(bucket).max(1) as f64;
                }
            }
        }
    }
    layers
}

fn throughput_words(layers: &[Vec<f64>; 3]) -> String {
    let mean = layers[0].iter().sum::<f64>() / layers[0].len().max(1) as f64;
    let idle = layers[0].iter().filter(|&&rate| rate == 0.0).count();
    format!(
        "On average {mean:.0} ok operations per second; {} of {} without any success.",
        idle,
        words::counted(layers[0].len() as u64, "interval")
    )
}

/// A stepped area between two curves; empty where they touch.
fn area(frame: &Frame, series: &Series, below: &[f64], above: &[f64], top: f64) -> String {
    let edge =
        |bucket: usize| frame.x((series.start + bucket as u64 * series.bucket).min(frame.to));
    let mut path = String::new();
    let mut bucket = 0;
    while bucket < above.len() {
        let Some(first) = (bucket..above.len()).find(|&at| above[at] > below[at]) else { break };
        let last = (first..above.len()).find(|&at| above[at] <= below[at]).unwrap_or(above.len());
        let _ = write!(path, "M{} {}", px(edge(first)), px(frame.y(below[first] / top)));
        for (at, value) in above.iter().enumerate().take(last).skip(first) {
            let _ = write!(path, "V{}H{}", px(frame.y(value / top)), px(edge(at + 1)));
        }
        for at in (first..last).rev() {
            let _ = write!(path, "V{}H{}", px(frame.y(below[at] / top)), px(edge(at)));
        }
        path.push('Z');
        bucket = last;
    }
    path
}

fn latency(input: &ReportInput<'_>, size: Size) -> Markup {
    let series = &input.results.series;
    let (frame, strip) = frame(input, size);
    let known = || series.p50.iter().chain(&series.p99).flatten().copied();
    let low = known().min().unwrap_or(1_000_000).max(1_000) as f64;
    let high = known().max().unwrap_or(1_000_000_000) as f64;
    let bottom = low.log10().floor();
    let decades = (high.log10().ceil() - bottom).max(1.0);
    let share = |ns: u64| ((ns.max(1) as f64).log10() - bottom) / decades;
    let id = format!("latency-{}", size.class());
    html! {
        svg class={ "chart " (size.class()) } viewBox=(view_box(&frame)) role="img"
            aria-labelledby={ (id) "-title " (id) "-desc" } {
            title id={ (id) "-title" } { "Latency over time, median and 99th percentile" }
            desc id={ (id) "-desc" } {
                "From " (words::duration(low as u64)) " to " (words::duration(high as u64))
                ". The table below has the percentiles."
            }
            @for decade in 0..=decades as usize {
                @let ns = 10f64.powf(bottom + decade as f64) as u64;
                (frame.level(decade as f64 / decades, &words::duration(ns)))
            }
            (frame.faults(&strip))
            path.curve.p99 d=(curve(&frame, series, &series.p99, share)) {}
            path.curve.p50 d=(curve(&frame, series, &series.p50, share)) {}
            @if size == Size::Wide {
                @for (name, values) in [("p99", &series.p99), ("p50", &series.p50)] {
                    @if let Some(last) = values.iter().rev().flatten().next() {
                        text class={ "end " (name) } x=(px(frame.right + 6.0)) y=(px(frame.y(share(*last)) + 4.0)) { (name) }
                    }
                }
            }
            (frame.time_axis())
        }
    }
}

/// A line through the middles of the buckets, with gaps where nothing succeeded.
fn curve(
    frame: &Frame,
    series: &Series,
    values: &[Option<u64>],
    share: impl Fn(u64) -> f64,
) -> String {
    let mut path = String::new();
    let mut pen_down = false;
    for (bucket, value) in values.iter().enumerate() {
        let Some(ns) = value else {
            pen_down = false;
            continue;
        };
        let x = frame.x(series.start + bucket as u64 * series.bucket + series.bucket / 2);
        let y = frame.y(share(*ns));
        let alone = !pen_down && values.get(bucket + 1).copied().flatten().is_none();
        let _ = match (pen_down, alone) {
            (true, _) => write!(path, "L{} {}", px(x), px(y)),
            (false, true) => write!(path, "M{} {}h3", px(x - 1.5), px(y)),
            (false, false) => write!(path, "M{} {}", px(x), px(y)),
        };
        pen_down = true;
    }
    path
}

fn view_box(frame: &Frame) -> String {
    format!("0 0 {} {}", px(frame.width), px(frame.height))
}
