//! The Environments that Assay brings along: dev, staging, prod and system.

use assay_kinds::{Environment, Kind, KindsError, load_yaml};

const FILES: [(&str, &str); 4] = [
    ("policies/dev.yaml", include_str!("../../../policies/dev.yaml")),
    ("policies/staging.yaml", include_str!("../../../policies/staging.yaml")),
    ("policies/prod.yaml", include_str!("../../../policies/prod.yaml")),
    ("policies/system.yaml", include_str!("../../../policies/system.yaml")),
];

/// The starter Environments dev, staging, prod and system. They name no registries, trust roots and signers: until
/// somebody does, what they enforce about those is not met.
pub fn starter_environments() -> Result<Vec<Environment>, KindsError> {
    let mut environments = Vec::with_capacity(FILES.len());
    for (name, text) in FILES {
        for object in load_yaml(text, name)?.objects {
            if let Kind::Environment(environment) = object.value {
                environments.push(*environment);
            }
        }
    }
    Ok(environments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, PolicyInput};

    #[test]
    fn the_starters_load_and_compile() {
        let environments = starter_environments().unwrap();
        let names: Vec<_> = environments.iter().map(|environment| environment.metadata.name.as_str()).collect();
        assert_eq!(names, ["dev", "staging", "prod", "system"]);
        for environment in &environments {
            assert_eq!(environment.spec.tier.name(), environment.metadata.name);
        }
        Policy::compile(PolicyInput { environments, ..PolicyInput::default() }).unwrap();
    }
}
