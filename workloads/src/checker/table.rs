//! The table of checkers: which property of which model is judged by what.

use super::{Budget, Check, linearizable};
use crate::history::Operation;
use crate::model::{Initial, UnsuitableOperation};

/// What a checker is told apart from the history.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// What objects hold before the first operation; none is what the model says.
    pub initial: Option<Initial>,
    /// Threads that may work at the same time; the result does not depend on it.
    pub threads: usize,
    /// The sum of all accounts, for `bank`.
    pub total: Option<i64>,
    /// Whether a valid check is to carry the orders that prove it, as [`Check::witness`].
    pub witness: bool,
    /// Which algorithms may be used, where there are several.
    pub method: Method,
}

/// Which algorithms a checker may use. Verdicts must not depend on it, except for unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The fastest that is exact for the history.
    Fastest,
    /// The general search only, to compare with.
    Search,
}

/// A judge of all operations of a history, in the order of their invocation.
pub type CheckFn =
    fn(&[Operation], &CheckOptions, &dyn Budget) -> Result<Check, UnsuitableOperation>;

/// One property of one or more models.
#[derive(Debug, Clone, Copy)]
pub struct CheckerInfo {
    /// The models, by the names on the command line; the first property of a model is its default.
    pub models: &'static [&'static str],
    /// The property, such as `linearizable` or `snapshot-isolation`.
    pub property: &'static str,
    /// What it asks, in a sentence.
    pub about: &'static str,
    /// The judge.
    pub check: CheckFn,
}

/// All checkers that can be asked for.
pub const CHECKERS: &[CheckerInfo] = &[CheckerInfo {
    models: &["register", "cas-register"],
    property: "linearizable",
    about: "Each key is one register, and every operation acts at one moment while it runs.",
    check: linearizable::check_register,
}];

/// The checker of this property of this model; without a property, the model's default.
pub fn checker(model: &str, property: Option<&str>) -> Option<&'static CheckerInfo> {
    CHECKERS.iter().find(|it| {
        it.models.contains(&model) && property.is_none_or(|property| property == it.property)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_of_a_model_has_one_checker() {
        let mut seen = std::collections::HashSet::new();
        for info in CHECKERS {
            for model in info.models {
                assert!(seen.insert((model, info.property)), "{model} {} twice", info.property);
            }
        }
    }

    #[test]
    fn the_first_property_is_the_default() {
        assert_eq!(checker("register", None).map(|it| it.property), Some("linearizable"));
        assert!(checker("register", Some("serializable")).is_none());
        assert!(checker("kettle", None).is_none());
    }
}
