//! When an answer must be there.

use std::time::{Duration, Instant};

use tonic::Request;

/// The deadline of a request: what the server allows, or less if the client allows less. A tenth of
/// the client's time is left for the way back.
pub(super) fn deadline<T>(request: &Request<T>, allowed: Duration) -> Instant {
    let wanted = request.metadata().get("grpc-timeout").and_then(|value| value.to_str().ok());
    let wanted = wanted.and_then(parse).map(|timeout| timeout.mul_f32(0.9));
    Instant::now() + wanted.map_or(allowed, |wanted| wanted.min(allowed))
}

/// Reads gRPC's form: up to eight digits and a unit, such as `1500m` for 1.5 s.
fn parse(timeout: &str) -> Option<Duration> {
    let unit = timeout.chars().last()?;
    let digits = timeout.strip_suffix(unit)?;
    if digits.len() > 8 || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let amount = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(amount * 3600)),
        'M' => Some(Duration::from_secs(amount * 60)),
        'S' => Some(Duration::from_secs(amount)),
        'm' => Some(Duration::from_millis(amount)),
        'u' => Some(Duration::from_micros(amount)),
        'n' => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeouts_are_read() {
        assert_eq!(parse("1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(parse("2S"), Some(Duration::from_secs(2)));
        assert_eq!(parse("99999999u"), Some(Duration::from_micros(99_999_999)));
        for bad in ["", "5", "m", "-1S", "999999999u", "1ü", "+1S"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_shorter_patience_counts() {
        let mut request = Request::new(());
        let allowed = Duration::from_secs(2);
        let left = |request: &Request<()>| deadline(request, allowed) - Instant::now();
        assert!(left(&request) > Duration::from_millis(1_900));
        request.set_timeout(Duration::from_secs(1));
        assert!(left(&request) <= Duration::from_millis(900));
        request.set_timeout(Duration::from_secs(60));
        assert!(left(&request) <= allowed);
    }
}
