//! reports/effort holds what the software device counts of its cases, exactly.

use std::fs;
use std::path::Path;

use oblate_cli::arguments::Choice;
use oblate_cli::cases;
use oblate_cli::effort::Efforts;
use oblate_cli::place::Session;
use oblate_cli::validate::Prepared;

#[test]
fn effort() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let session = Session::open(Choice::Software).unwrap();
    let mut files = 0;
    for file in fs::read_dir(root.join("reports/effort")).unwrap() {
        let path = file.unwrap().path();
        let operation = path.file_stem().unwrap().to_str().unwrap();
        let rewrite = format!("`cargo xtask mutants {operation} --effort` writes it anew");
        let recipes = cases::of(operation);
        for (name, committed) in Efforts::read(&root, operation).unwrap().0 {
            let recipe = recipes.iter().find(|recipe| recipe.name() == name);
            let recipe = recipe.unwrap_or_else(|| panic!("{name} is no case any more; {rewrite}"));
            let measured = Prepared::of(recipe, 0).unwrap().effort(&session).unwrap();
            assert_eq!(measured, committed, "{name}; {rewrite}");
        }
        files += 1;
    }
    assert!(files > 0);
}
