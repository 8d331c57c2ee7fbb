//! The parsers of `check`, for fuzzing.

use serde_json::json;

use super::{mapping, mapping_mistakes};
use crate::configuration::pool_provider::PoolProvider;
use crate::shell;

/// Splits an attribute mapping and evaluates its expressions. Each expression must be a part of the
/// mapping.
pub(crate) fn attribute_mapping(text: &str) {
    let claims = json!({"sub": "s", "a": {"b": ["c"], "https://a.example": 1}});
    let pairs = mapping::pairs(text);
    assert!(
        pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= text.len()
    );
    let name =
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q";
    if let Ok(provider) = PoolProvider::parse(name) {
        mapping_mistakes::wrong_names(&pairs, &provider);
    }
    for (_, expression) in pairs {
        mapping::evaluate(expression, &claims);
        mapping_mistakes::wrong_expression(expression, &claims);
    }
    shell::expansion(text);
    shell::without_typography(text);
}
