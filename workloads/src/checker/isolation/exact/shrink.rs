//! The smallest set of transactions that no order explains.

use super::solve::Problem;
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::weak::Reads;

/// Sets of this size are shrunk; larger ones are only cut in halves first.
const SINGLE_STEPS_MAX: usize = 200;

/// Takes away what is not needed for the contradiction.
pub(in crate::checker::isolation) fn smallest(
    mut of: Vec<u32>,
    reads: &Reads,
    snapshots: bool,
    meter: &mut Meter<'_>,
) -> Result<Vec<u32>, Stop> {
    let mut chunk = of.len() / 2;
    while chunk > 0 {
        let mut at = 0;
        while at < of.len() {
            if chunk == 1 && of.len() > SINGLE_STEPS_MAX {
                return Ok(of);
            }
            let end = (at + chunk).min(of.len());
            let fewer = [&of[..at], &of[end..]].concat();
            let explained = match Problem::new(&fewer, reads, snapshots) {
                Ok(problem) => problem.solve(meter)?,
                Err(_) => true,
            };
            if explained {
                at = end;
            } else {
                of = fewer;
            }
        }
        chunk /= 2;
    }
    Ok(of)
}
