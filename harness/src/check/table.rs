//! What the table of checkers offers, by name.

use anyhow::anyhow;
use workloads::checker::{CHECKERS, CheckerInfo, checker};

/// All models, each with its properties; the first is the default.
pub fn models() -> Vec<(String, String)> {
    names().into_iter().map(|model| (model.to_owned(), properties_of(model).join(", "))).collect()
}

/// All properties, each with what it asks and of which models.
pub fn properties() -> Vec<(String, String)> {
    CHECKERS
        .iter()
        .map(|it| (it.property.to_owned(), format!("{} ({})", it.about, it.models.join(", "))))
        .collect()
}

fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    for name in CHECKERS.iter().flat_map(|it| it.models.iter().copied()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn properties_of(model: &str) -> Vec<&'static str> {
    CHECKERS.iter().filter(|it| it.models.contains(&model)).map(|it| it.property).collect()
}

/// The checker of these names, or what to write instead.
pub(super) fn find(model: &str, property: Option<&str>) -> anyhow::Result<&'static CheckerInfo> {
    checker(model, property).ok_or_else(|| match (properties_of(model), property) {
        (properties, Some(property)) if !properties.is_empty() => anyhow!(
            "unknown property {property:?} of the model {model}\nhint: one of {}",
            properties.join(", ")
        ),
        _ => anyhow!("unknown model {model:?}\nhint: one of {}", names().join(", ")),
    })
}

/// The error of a history whose model nobody named.
pub(super) fn which_model(file: &std::path::Path) -> anyhow::Error {
    anyhow!("{}: which model?\nhint: --model, one of {}", file.display(), names().join(", "))
}
