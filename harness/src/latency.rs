//! Latency histograms: HDR, in nanoseconds, three significant digits, 1 µs to one hour.
//!
//! The encoded form is the V2 format of HdrHistogram in base64 (the text that its tools in other
//! languages read), so that histograms of several runs can be merged later.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use serde::{Deserialize, Serialize};
use thiserror::Error;

const LOWEST_NS: u64 = 1_000;
const HIGHEST_NS: u64 = 3_600_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// A distribution of latencies.
#[derive(Debug, Clone)]
pub struct LatencyHistogram {
    inner: Histogram<u64>,
}

/// The percentiles that people ask for, nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyPercentiles {
    /// Number of latencies.
    pub count: u64,
    /// Half of them are at most this.
    pub p50: u64,
    /// 90 % are at most this.
    pub p90: u64,
    /// 99 % are at most this.
    pub p99: u64,
    /// 99.9 % are at most this.
    pub p99_9: u64,
    /// The longest.
    pub max: u64,
}

/// Why an encoded histogram cannot be read.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// Not base64.
    #[error("read histogram: character {position} is not base64")]
    Base64 {
        /// Position of the character, from 0.
        position: usize,
    },
    /// Not the V2 format.
    #[error("read histogram: {0:?}")]
    Format(hdrhistogram::serialization::DeserializeError),
}

impl Default for LatencyHistogram {
    fn default() -> LatencyHistogram {
        LatencyHistogram::new()
    }
}

impl LatencyHistogram {
    /// Without any latency.
    pub fn new() -> LatencyHistogram {
        let inner = Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)
            .expect("the bounds are constants that fit");
        LatencyHistogram { inner }
    }

    /// Adds one; more than an hour counts as an hour.
    pub fn record(&mut self, latency_ns: u64) {
        self.inner.saturating_record(latency_ns);
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &LatencyHistogram) {
        self.inner.add(&other.inner).expect("all histograms have the same bounds");
    }

    /// The number of latencies.
    pub fn count(&self) -> u64 {
        self.inner.len()
    }

    /// The latency that this share of all (0 to 1) does not exceed; none if there are none.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        (!self.inner.is_empty())
            .then(|| self.inner.value_at_quantile(quantile).min(self.inner.max()))
    }

    /// The percentiles of the report; all 0 if there are no latencies.
    pub fn percentiles(&self) -> LatencyPercentiles {
        let at = |quantile| self.quantile(quantile).unwrap_or(0);
        LatencyPercentiles {
            count: self.count(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: if self.inner.is_empty() { 0 } else { self.inner.max() },
        }
    }

    /// HdrHistogram V2, base64.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::new();
        V2Serializer::new()
            .serialize(&self.inner, &mut bytes)
            .expect("writing to memory cannot fail, and counts fit 63 bits");
        base64_encode(&bytes)
    }

    /// Reads what [`LatencyHistogram::encode`] wrote.
    pub fn decode(text: &str) -> Result<LatencyHistogram, DecodeError> {
        let bytes = base64_decode(text)?;
        let inner =
            Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(DecodeError::Format)?;
        Ok(LatencyHistogram { inner })
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte))
            << (8 * (3 - group.len()));
        for position in 0..4 {
            if position <= group.len() {
                let digit = (bits >> (18 - 6 * position)) & 63;
                text.push(char::from(BASE64[digit as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

pub(crate) fn base64_decode(text: &str) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0);
    for (position, character) in text.trim_end_matches('=').bytes().enumerate() {
        let digit = BASE64
            .iter()
            .position(|&known| known == character)
            .ok_or(DecodeError::Base64 { position })?;
        bits = bits << 6 | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standard_one() {
        for (plain, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64_encode(plain.as_bytes()), encoded);
            assert_eq!(base64_decode(encoded).unwrap(), plain.as_bytes());
        }
        assert!(matches!(base64_decode("Zg!="), Err(DecodeError::Base64 { position: 2 })));
    }

    #[test]
    fn a_histogram_survives_encoding() {
        let mut histogram = LatencyHistogram::new();
        for latency in 1..=1000u64 {
            histogram.record(latency * 1_000_000);
        }
        let read = LatencyHistogram::decode(&histogram.encode()).unwrap();
        assert_eq!(read.percentiles(), histogram.percentiles());
        assert_eq!(read.count(), 1000);
    }

    #[test]
    fn percentiles_are_within_a_thousandth() {
        let mut histogram = LatencyHistogram::new();
        for latency in 1..=1000u64 {
            histogram.record(latency * 1_000_000);
        }
        let percentiles = histogram.percentiles();
        for (seen, exact) in [
            (percentiles.p50, 500e6),
            (percentiles.p90, 900e6),
            (percentiles.p99, 990e6),
            (percentiles.max, 1000e6),
        ] {
            assert!((seen as f64 - exact).abs() <= exact / 900.0, "{seen} is not near {exact}");
        }
    }

    #[test]
    fn nothing_recorded_has_no_quantiles_and_saturates_at_an_hour() {
        let mut histogram = LatencyHistogram::new();
        assert_eq!(histogram.quantile(0.5), None);
        assert_eq!(histogram.percentiles(), LatencyPercentiles::default());
        histogram.record(u64::MAX);
        assert_eq!(histogram.count(), 1);
    }
}
