//! Programs that leave out, swap or forge a guard do not compile. Each stands beside what the compiler says of it.

#[test]
fn the_order_of_the_guards_is_kept_by_the_compiler() {
    trybuild::TestCases::new().compile_fail("tests/programs/*.rs");
}
