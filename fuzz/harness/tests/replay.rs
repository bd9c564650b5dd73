//! Replays every file of every corpus through the function that the fuzzer calls.

use std::{fs, path::Path};

use fuzz_harness::TARGETS;

#[test]
fn every_corpus_file_keeps_its_promises() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    for (name, target) in TARGETS {
        let mut files: Vec<_> = fs::read_dir(corpora.join(name))
            .unwrap_or_else(|error| panic!("target `{name}` has no corpus: {error}"))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "the corpus of `{name}` is empty");
        for file in files {
            // Shown only when the test fails: the file that broke it is the last one.
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_corpus_has_a_target() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    for entry in fs::read_dir(corpora).unwrap() {
        let folder = entry.unwrap().file_name();
        assert!(TARGETS.iter().any(|(name, _)| folder == *name), "no target replays the corpus {folder:?}");
    }
}
