//! The cases that `oblate validate` and the tests run: random, adversarial and real inputs, each of which its name and a
//! seed decide.

mod factored;
mod fill;
mod hierarchical_softmax;
mod linear;
mod linear_cross_entropy;
mod rank;
mod real;
mod spherical;

use std::collections::BTreeMap;

pub use fill::Fill;
pub use real::{DIGITS, HEAD, VOCABULARY};
use safetensors::Dtype;

use crate::Tensors;

/// One case: an operation, its parameters and its inputs.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique among the cases, and readable: `spherical.dense f32 [5, 67] bell z K=3 reduction=mean`.
    pub name: String,
    /// The operation's name.
    pub operation: &'static str,
    /// The dtype of its `f` tensors.
    pub dtype: Dtype,
    /// Parameters as `--set` takes them; the others have their defaults.
    pub parameters: Parameters,
    /// The input tensors by name.
    pub tensors: Tensors,
}

/// Parameters by name, as text.
pub type Parameters = BTreeMap<String, String>;

/// A case that is not built yet: what it costs to hold thousands of them is their names.
#[derive(Clone, Debug)]
pub struct Recipe {
    name: String,
    operation: &'static str,
    dtype: Dtype,
    ingredients: Ingredients,
}

#[derive(Clone, Debug)]
enum Ingredients {
    Spherical(spherical::Ingredients),
    LinearCrossEntropy(linear_cross_entropy::Ingredients),
    Linear(linear::Ingredients),
    Factored(factored::Ingredients),
    Rank(rank::Ingredients),
    HierarchicalSoftmax(hierarchical_softmax::Ingredients),
    Real(real::Ingredients),
}

impl Recipe {
    /// The name of the case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The operation's name.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The dtype of the operation's `f` tensors.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The case that the name and `seed` decide.
    pub fn build(&self, seed: u64) -> Case {
        let (parameters, tensors) = match &self.ingredients {
            Ingredients::Spherical(ingredients) => ingredients.build(&self.name, self.dtype, seed),
            Ingredients::LinearCrossEntropy(ingredients) => ingredients.build(&self.name, self.dtype, seed),
            Ingredients::Linear(ingredients) => ingredients.build(&self.name, self.dtype, seed),
            Ingredients::Factored(ingredients) => ingredients.build(&self.name, seed),
            Ingredients::Rank(ingredients) => ingredients.build(&self.name, self.dtype, seed),
            Ingredients::HierarchicalSoftmax(ingredients) => ingredients.build(&self.name, self.dtype, seed),
            Ingredients::Real(ingredients) => ingredients.build(self.dtype),
        };
        Case { name: self.name.clone(), operation: self.operation, dtype: self.dtype, parameters, tensors }
    }
}

/// Every case, by operation and dtype.
pub fn all() -> Vec<Recipe> {
    let dtypes = [Dtype::F32, Dtype::F16, Dtype::BF16];
    let mut recipes = Vec::new();
    for operation in spherical::OPERATIONS {
        for dtype in dtypes {
            recipes.extend(spherical::recipes(operation, dtype));
            recipes.extend(real::recipes(operation, dtype));
        }
    }
    recipes.extend(dtypes.into_iter().flat_map(linear_cross_entropy::recipes));
    recipes.extend(dtypes.into_iter().flat_map(linear::recipes));
    recipes.extend(factored::recipes());
    recipes.extend(dtypes.into_iter().flat_map(rank::recipes));
    recipes.extend(dtypes.into_iter().flat_map(real::head_recipes));
    recipes.extend(dtypes.into_iter().flat_map(hierarchical_softmax::recipes));
    recipes
}

/// The cases of one operation, or of a family: `spherical.dense` or `spherical`.
pub fn of(name: &str) -> Vec<Recipe> {
    let is_in =
        |operation: &str| operation == name || operation.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    all().into_iter().filter(|recipe| is_in(recipe.operation)).collect()
}

/// Ordinary inputs of an operation at the sizes that the words name, for counting.
///
/// # Panics
/// For an operation that has no cases.
pub fn tensors(operation: &str, sizes: &BTreeMap<&str, usize>, dtype: Dtype) -> Tensors {
    if operation == linear_cross_entropy::OPERATION {
        return linear_cross_entropy::tensors(sizes, dtype);
    }
    if operation == linear::OPERATION {
        return linear::tensors(sizes, dtype);
    }
    if operation == factored::OPERATION {
        return factored::tensors(sizes);
    }
    if operation == rank::OPERATION {
        return rank::tensors(sizes, dtype);
    }
    if operation == hierarchical_softmax::OPERATION {
        return hierarchical_softmax::tensors(sizes, dtype);
    }
    assert!(spherical::OPERATIONS.contains(&operation), "{operation} has no cases");
    spherical::tensors(sizes, dtype)
}

/// What `of` takes: the families that have cases, and their operations.
pub fn names() -> Vec<String> {
    let others = [
        linear_cross_entropy::OPERATION,
        linear::OPERATION,
        factored::OPERATION,
        rank::OPERATION,
        hierarchical_softmax::OPERATION,
    ];
    let operations = || spherical::OPERATIONS.into_iter().chain(others);
    let families = operations().filter_map(|name| name.split('.').next());
    let mut names: Vec<String> = families.chain(operations()).map(str::to_owned).collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let all = all();
        let names: BTreeSet<&str> = all.iter().map(Recipe::name).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.len() > 1000, "{}", all.len());
    }

    #[test]
    fn a_case_is_a_function_of_its_name_and_the_seed() {
        let all = all();
        for recipe in all.iter().step_by(97) {
            let first = recipe.build(1);
            assert_eq!(first.tensors, recipe.build(1).tensors, "{}", recipe.name());
            assert_eq!(first.parameters, recipe.build(2).parameters, "{}", recipe.name());
        }
        let random = all.iter().find(|recipe| recipe.name().contains("[33, 31] bell")).expect("a random case");
        assert_ne!(random.build(1).tensors, random.build(2).tensors);
    }

    #[test]
    fn a_family_is_its_operations() {
        assert_eq!(of("spherical").len(), all().len());
        assert!(of("spherical.dense").iter().all(|recipe| recipe.operation() == "spherical.dense"));
        assert!(of("spherical.den").is_empty());
    }
}
