//! From the steps of a scenario to the faults of a run, and back.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::step::{Step, StepSeed};
use crate::nemesis::fault::{Fault, FaultKind, Situation, UnknownFault, fault_kind};
use crate::nemesis::plan::PlannedFault;

/// Steps that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// There is no such fault.
    #[error("step {number}: {source}")]
    Kind {
        /// Of the step, from 1.
        number: usize,
        /// The names that there are.
        source: UnknownFault,
    },
    /// The fault has no such variant in a cluster of this size.
    #[error("step {number}: {fault} has no variant {variant:?} here\nhint: one of {known}")]
    Variant {
        /// Of the step, from 1.
        number: usize,
        /// The kind.
        fault: String,
        /// What was asked for.
        variant: String,
        /// What there is.
        known: String,
    },
    /// It is never in force.
    #[error("step {number}: it lasts no time\nhint: for = \"5s\"")]
    Empty {
        /// Of the step, from 1.
        number: usize,
    },
    /// Two faults of a kind at once would be healed together.
    #[error("step {number}: {fault} begins while the one before it lasts\nhint: a later `at`")]
    Overlap {
        /// Of the step, from 1.
        number: usize,
        /// The kind.
        fault: String,
    },
    /// The run ends before it.
    #[error("step {number}: it ends after the run\nhint: --time-limit {needed}")]
    TooLate {
        /// Of the step, from 1.
        number: usize,
        /// A limit that would do.
        needed: String,
    },
}

/// What the cluster is like that the steps are for.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its size, and whether a majority must stay.
    pub situation: Situation,
    /// When the run ends.
    pub time_limit: Duration,
    /// What steps without a seed of their own draw from.
    pub seed: u64,
}

/// The faults of these steps, which are in the order of their beginnings.
pub fn planned(steps: &[Step], setting: &Setting) -> Result<Vec<PlannedFault>, StepError> {
    let mut rng = ChaCha8Rng::seed_from_u64(setting.seed);
    let mut faults: Vec<PlannedFault> = Vec::with_capacity(steps.len());
    for (number, step) in (1..).zip(steps) {
        // Drawn for each step, needed or not, so that a seed in one step does not change another.
        let (own, drawn): (u64, u64) = (rng.random(), rng.random());
        let kind = fault_kind(&step.fault).map_err(|source| StepError::Kind { number, source })?;
        let overlaps = |other: &PlannedFault| other.kind == kind && other.stop > step.at;
        if step.length.is_zero() {
            return Err(StepError::Empty { number });
        }
        if faults.iter().any(overlaps) {
            return Err(StepError::Overlap { number, fault: step.fault.clone() });
        }
        if step.end() > setting.time_limit {
            let needed = humantime::format_duration(step.end()).to_string();
            return Err(StepError::TooLate { number, needed });
        }
        faults.push(PlannedFault {
            start: step.at,
            stop: step.end(),
            kind,
            fault: variant(number, kind, step, setting.situation, drawn)?,
            seed: step.seed.map_or(own, |seed| seed.0),
        });
    }
    Ok(faults)
}

fn variant(
    number: usize,
    kind: &'static FaultKind,
    step: &Step,
    situation: Situation,
    drawn: u64,
) -> Result<Arc<dyn Fault>, StepError> {
    let variants = (kind.variants)(situation);
    let Some(wanted) = &step.variant else {
        let position = (drawn % variants.len().max(1) as u64) as usize;
        return variants.get(position).cloned().ok_or_else(|| StepError::Variant {
            number,
            fault: step.fault.clone(),
            variant: "any".to_owned(),
            known: "none".to_owned(),
        });
    };
    let found = variants.iter().find(|variant| variant.variant() == *wanted);
    found.cloned().ok_or_else(|| {
        let mut known: Vec<String> =
            variants.iter().map(|it| format!("{:?}", it.variant())).collect();
        known.dedup();
        StepError::Variant {
            number,
            fault: step.fault.clone(),
            variant: wanted.clone(),
            known: known.join(", "),
        }
    })
}

/// The steps that give these faults again.
pub fn steps(plan: &[PlannedFault]) -> Vec<Step> {
    plan.iter()
        .map(|fault| Step {
            at: fault.start,
            length: fault.stop - fault.start,
            fault: fault.kind.name.to_owned(),
            variant: Some(fault.fault.variant()),
            seed: Some(StepSeed(fault.seed)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::step;
    use super::*;
    use crate::nemesis::fault::FAULTS;
    use crate::nemesis::plan::{PlanOptions, plan};

    fn setting() -> Setting {
        Setting {
            situation: Situation { nodes: 5, keep_quorum: false },
            time_limit: Duration::from_secs(120),
            seed: 7,
        }
    }

    #[test]
    fn a_plan_comes_back_as_it_was_written() {
        let drawn = plan(&PlanOptions {
            kinds: FAULTS.to_vec(),
            interval: Duration::from_secs(9),
            time_limit: Duration::from_secs(120),
            nodes: 5,
            program: crate::nemesis::plan::Program::Mix,
            at_once_max: 2,
            keep_quorum: false,
            seed: 7,
        });
        let again = planned(&steps(&drawn), &setting()).unwrap();
        assert_eq!(format!("{again:?}"), format!("{drawn:?}"));
        assert!(drawn.len() > 10);
    }

    #[test]
    fn what_cannot_be_run_is_said_with_the_step() {
        let check = |steps: &[Step], part: &str| {
            let error = planned(steps, &setting()).unwrap_err().to_string();
            assert!(error.starts_with("step ") && error.contains(part), "{error}");
        };
        let named = |variant: &str| Step { variant: Some(variant.to_owned()), ..step(3, "kill") };
        check(&[step(3, "earthquake")], "unknown fault");
        check(&[named("sideways")], "hint: one of ");
        check(&[step(3, "kill"), step(5, "kill")], "step 2: kill begins while");
        check(&[step(118, "kill")], "hint: --time-limit 2m 2s");
        check(&[Step { length: Duration::ZERO, ..step(3, "kill") }], "no time");
    }

    #[test]
    fn a_step_that_is_left_out_changes_no_other() {
        let open = |at| Step { seed: None, ..step(at, "pause") };
        let with_seeds = steps(&planned(&[open(3), open(13), open(23)], &setting()).unwrap());
        let left = planned(&with_seeds[1..], &setting()).unwrap();
        assert_eq!(steps(&left), with_seeds[1..]);
    }
}
