"""What users of automatic differentiation suffer from, and the tests that say it does not happen here.

The numbers are those in the names of the tests of this folder. 34, arrays on other devices, is not in scope.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

PAINS = {
    1: (
        "a derivative comes back None or zero because the trace was lost, and nobody says where",
        ["users/test_01_lost_traces.py", "numpy/test_coverage.py::test_exactly_zero", "numpy/test_boxes.py"],
    ),
    2: (
        "the vectorised Jacobian takes all memory",
        [
            "sparse/test_memory.py::test_10_000_by_1_001_within_512_megabytes",
            "sparse/test_memory.py::test_every_budget_gives_the_same_numbers",
            "sparse/test_memory.py::test_a_dense_result_that_cannot_be_held_is_refused_before_it_is_computed",
            "sparse/test_memory.py::test_no_memory_is_lost_over_many_calls",
        ],
    ),
    3: (
        "a Jacobian costs one pass per row",
        ["users/test_30_services.py::test_03_the_smaller_side_decides_how_many_seeds_there_are"],
    ),
    4: (
        "no sparse Jacobian or Hessian",
        [
            "sparse/test_patterns.py::test_the_pattern_is_the_one_by_hand",
            "sparse/test_plans.py::test_a_wrong_pattern_is_reported_and_not_used",
            "sparse/test_memory.py::test_cold_starts_of_large_problems",
        ],
    ),
    5: (
        "NumPy code must be rewritten",
        ["numpy/test_calls.py::test_calls_that_other_libraries_lose", "corpus/test_corpus.py::test_derivatives"],
    ),
    6: (
        "assignment is refused, or its message baffles",
        ["numpy/test_writing.py::test_form", "numpy/test_writing.py::test_there_are_more_than_forty_forms"],
    ),
    7: (
        "NaN at edge points although the value is fine",
        [
            "rules/test_kinks.py::test_first_order",
            "rules/test_kinks.py::test_second_order",
            "rules/test_kinks.py::test_there_are_enough",
        ],
    ),
    8: (
        "one operation without a batch rule, and everything crawls",
        [
            "users/test_30_services.py::test_08_no_primitive_is_applied_in_a_loop",
            "users/test_30_services.py::test_08_any_number_of_seeds_gives_the_numbers_of_one_at_a_time",
            "rules/test_laws.py::test_laws",
            "numpy/test_coverage.py::test_a_primitive_without_a_batch_rule_warns",
        ],
    ),
    9: (
        "compiling and tracing again take longer than the work",
        [
            "users/test_30_services.py::test_09_a_long_python_loop_records_in_lines_that_are_linear_in_its_steps",
            "users/test_30_services.py::test_09_other_shapes_and_branches_are_followed",
            "engine/test_lifetime.py::test_a_chain_of_100_000_operations",
        ],
    ),
    10: (
        "control flow that depends on data",
        [
            "users/test_16_debugging.py::test_10_control_flow_of_python_in_both_modes",
            "users/test_16_debugging.py::test_10_the_path_that_was_taken_is_listed",
            "transforms/test_control.py::test_python_control_flow_is_followed_as_it_is",
        ],
    ),
    11: (
        "single precision that nobody asked for",
        ["numpy/test_dtypes.py::test_dtypes", "numpy/test_dtypes.py::test_a_hundred_functions_are_checked"],
    ),
    12: (
        "a heavy install and a slow import",
        [
            "users/test_30_services.py::test_12_the_package_is_small",
            "test_formalities.py::test_an_import_pulls_in_nothing_heavy",
            "test_formalities.py::test_importing_takes_little_time",
        ],
    ),
    13: (
        "handing derivatives to SciPy is all glue",
        [
            "sparse/test_solvers.py::test_minimize_runs_the_function_once_per_point",
            "sparse/test_solvers.py::test_least_squares",
            "sparse/test_solvers.py::test_roots",
            "sparse/test_solvers.py::test_stiff_problems",
            "sparse/test_solvers.py::test_boundary_value_problems",
            "sparse/test_solvers.py::test_a_constraint_with_sparse_derivatives",
        ],
    ),
    14: (
        "finite differences: which step, how right, how dear",
        ["users/test_14_opaque.py", "rules/test_accuracy.py::test_one_argument"],
    ),
    15: (
        "missing rules",
        [
            "numpy/test_coverage.py::test_every_function_of_the_installed_numpy_has_a_column",
            "numpy/test_coverage.py::test_the_page_in_the_docs_is_the_generated_one",
            "special/test_calls.py",
            "scipy_faces/test_sparse.py::test_solutions",
            "scipy_faces/test_linalg.py::test_banded_and_toeplitz_systems",
        ],
    ),
    16: ("finding the operation that made the NaN", ["users/test_16_debugging.py"]),
    17: ("on tiny problems the overhead beats the maths", ["numpy/test_speed.py"]),
    18: (
        "a custom rule works in one direction only",
        [
            "transforms/test_custom_rules.py::test_every_mode_and_order",
            "transforms/test_custom_rules.py::test_every_rule_is_verified",
        ],
    ),
    19: (
        "one Jacobian per sample",
        [
            "sparse/test_parts.py::test_100_000_samples_take_three_passes",
            "sparse/test_parts.py::test_mean_subtraction_over_100_000_samples_is_refused_at_once",
            "sparse/test_parts.py::test_corner_cases_of_batches",
        ],
    ),
    20: (
        "complex numbers: which derivative?",
        [
            "users/test_30_services.py::test_20_the_real_matrix_says_it_all",
            "users/test_30_services.py::test_20_one_complex_matrix_where_there_is_one",
            "users/test_30_services.py::test_20_what_is_not_holomorphic_is_refused",
        ],
    ),
    21: ("nested derivatives are mixed up", ["engine/test_confusion.py"]),
    22: (
        "diagonal, trace and products of a Hessian without the Hessian",
        [
            "sparse/test_parts.py::test_a_separable_hessian_diagonal_of_100_000",
            "sparse/test_solvers.py::test_jacobians_and_hessians_as_operators",
            "functional/test_products.py::test_products_with_the_hessian",
        ],
    ),
    23: (
        "checkers that mislead",
        [
            "meta/test_wrong_rules.py::test_a_wrong_rule_is_found",
            "meta/test_check_derivatives.py::test_single_precision_arguments_are_promoted",
            "meta/test_check_derivatives.py::test_the_worst_entry_is_named",
            "engine/test_random_programs.py::test_no_false_alarm",
        ],
    ),
    24: (
        "derivatives by structured parameters",
        [
            "users/test_30_services.py::test_24_nested_mixtures_come_back_as_they_went_in",
            "transforms/test_jacobians.py::test_a_matrix_with_labels",
        ],
    ),
    25: (
        "high orders explode",
        [
            "transforms/test_taylor.py::test_elementary_functions_to_order_ten",
            "transforms/test_taylor.py::test_order_twenty_is_quick_and_the_cost_is_no_worse_than_quadratic",
        ],
    ),
    26: (
        "memory held by tapes and cycles",
        [
            "tape/test_memory.py::test_nothing_accumulates",
            "engine/test_lifetime.py::test_a_thousand_jacobians_do_not_grow",
            "engine/test_lifetime.py::test_an_exception_leaves_nothing_recorded",
        ],
    ),
    27: (
        "what does not pickle does not run in parallel",
        [
            "transforms/test_pickling_and_threads.py::test_pickling",
            "transforms/test_pickling_and_threads.py::test_a_pool_of_processes",
        ],
    ),
    28: (
        "long loops in reverse mode take all memory",
        [
            "transforms/test_checkpoint.py::test_checkpointed_scan_gives_the_plain_gradient",
            "transforms/test_checkpoint.py::test_the_budget_is_kept",
        ],
    ),
    29: ("one Jacobian on many cores or nodes", ["users/test_29_blocks.py"]),
    30: ("repeated eigenvalues and singular values", ["linalg/test_degenerate.py"]),
    31: (
        "value and Jacobian need two runs",
        [
            "users/test_30_services.py::test_31_a_function_runs_once",
            "users/test_30_services.py::test_31_products_run_it_once_too",
        ],
    ),
    32: (
        "a Jacobian larger than memory",
        [
            "users/test_29_blocks.py::test_32_a_matrix_goes_to_disk_with_little_memory",
            "users/test_29_blocks.py::test_32_products_without_the_matrix",
        ],
    ),
    33: (
        "integers as arguments",
        [
            "users/test_30_services.py::test_33_integers_at_the_point_become_floating",
            "users/test_30_services.py::test_33_integers_that_are_data_stay_integers",
        ],
    ),
    35: (
        "threads",
        [
            "tape/test_threads.py",
            "transforms/test_pickling_and_threads.py::test_sixteen_threads",
            "engine/test_lifetime.py::test_asyncio_tasks_do_not_mix",
        ],
    ),
    36: (
        "no progress, no interrupt, no resuming",
        [
            "users/test_29_blocks.py::test_36_progress_is_told_after_each_block",
            "users/test_29_blocks.py::test_36_an_interrupt_leaves_finished_blocks_and_the_rest_is_taken_up",
        ],
    ),
    37: (
        "nobody sees the graph",
        ["users/test_16_debugging.py::test_37_a_loop_is_told_once", "sparse/test_plot.py"],
    ),
}


def test_every_pain_has_its_tests():
    assert set(PAINS) == set(range(1, 38)) - {34}


@pytest.mark.parametrize("number", PAINS)
def test_the_tests_exist(number):
    for name in PAINS[number][1]:
        file, _, function = name.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert function in names if function else any(n.startswith("test_") for n in names), name
