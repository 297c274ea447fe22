"""The demo: the NIST files are read right, the fits reach the certified answers, and bad input is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares

from wengert import cli
from wengert.demo import nist, score
from wengert.demo.fit import FitError, differences, exact, fit
from wengert.demo.models import MODELS, response
from wengert.errors import WengertError

NAMES = nist.names()

# observations, parameters, predictors: counted by hand from the headers
SIZES = {
    "Bennett5": (154, 3, 1),
    "BoxBOD": (6, 2, 1),
    "Chwirut1": (214, 3, 1),
    "Chwirut2": (54, 3, 1),
    "DanWood": (6, 2, 1),
    "ENSO": (168, 9, 1),
    "Eckerle4": (35, 3, 1),
    "Gauss1": (250, 8, 1),
    "Gauss2": (250, 8, 1),
    "Gauss3": (250, 8, 1),
    "Hahn1": (236, 7, 1),
    "Kirby2": (151, 5, 1),
    "Lanczos1": (24, 6, 1),
    "Lanczos2": (24, 6, 1),
    "Lanczos3": (24, 6, 1),
    "MGH09": (11, 4, 1),
    "MGH10": (16, 3, 1),
    "MGH17": (33, 5, 1),
    "Misra1a": (14, 2, 1),
    "Misra1b": (14, 2, 1),
    "Misra1c": (14, 2, 1),
    "Misra1d": (14, 2, 1),
    "Nelson": (128, 3, 2),
    "Rat42": (9, 3, 1),
    "Rat43": (15, 4, 1),
    "Roszman1": (25, 4, 1),
    "Thurber": (37, 7, 1),
}


@pytest.fixture(scope="module")
def misra1a() -> str:
    return (Path(nist.__file__).parent / "data" / "Misra1a.dat").read_text(encoding="ascii")


# The files ----------------------------------------------------------------------------------------


def test_all_sets_are_there_and_have_models():
    assert sorted(SIZES) == NAMES == sorted(MODELS)


@pytest.mark.parametrize("name", NAMES)
def test_sizes_are_those_of_the_header(name):
    data = nist.load(name)
    m, n, p = SIZES[name]
    assert data.name == name
    assert data.y.shape == (m,)
    assert data.x.shape == ((m,) if p == 1 else (p, m))
    assert data.starts.shape == (2, n)
    assert data.certified.shape == data.certified_sd.shape == (n,)
    assert (data.observations, data.parameters) == (m, n)
    assert data.level in {"Lower", "Average", "Higher"}


def test_levels_are_shared_out_as_nist_says():
    levels = [nist.load(name).level for name in NAMES]
    assert [levels.count(level) for level in ("Lower", "Average", "Higher")] == [8, 11, 8]


@pytest.mark.parametrize("name", NAMES)
def test_sum_of_squares_at_the_certified_parameters(name):
    data = nist.load(name)
    r = score.residual_of(data)(data.certified)
    if name == "Lanczos1":  # eleven digits of the parameters do not reach residuals of 1e-13
        assert r @ r < 1e-20
    else:
        assert r @ r == pytest.approx(data.certified_rss, rel=1e-9)


def test_values_read_by_hand():
    data = nist.load("Misra1a")
    assert (data.y[0], data.x[0], data.y[-1], data.x[-1]) == (10.07, 77.6, 81.78, 760.0)
    np.testing.assert_array_equal(data.starts, [[500, 0.0001], [250, 0.0005]])
    np.testing.assert_array_equal(data.certified, [2.3894212918e02, 5.5015643181e-04])
    np.testing.assert_array_equal(data.certified_sd, [2.7070075241e00, 7.2668688436e-06])
    assert data.certified_rss == 1.2455138894e-01
    assert data.certified_residual_sd == 1.0187876330e-01
    assert data.model_text == "y = b1*(1-exp[-b2*x])  +  e"


def test_two_predictors_and_a_log_response():
    data = nist.load("Nelson")
    np.testing.assert_array_equal(data.x[:, 0], [1, 180])
    np.testing.assert_array_equal(np.unique(data.x[1]), [180, 225, 250, 275])
    np.testing.assert_array_equal(response("Nelson", data.y), np.log(data.y))


def test_a_formula_of_several_lines_is_kept_whole():
    text = nist.load("ENSO").model_text
    assert text.startswith("y = b1 + b2*cos") and text.endswith("b9*sin( 2*pi*x/b7 )  + e")


def test_line_ends_of_other_systems(misra1a):
    data = nist.parse(misra1a.replace("\n", "\r\n"))
    np.testing.assert_array_equal(data.y, nist.load("Misra1a").y)


# Files that are wrong -----------------------------------------------------------------------------

BAD = {
    "no name": (("Dataset Name:", "Name:"), 'no line "Dataset Name:" in the header'),
    "no count": (("14 Observations", "14 Values"), 'no line "<number> Observations" in the header'),
    "no level": (("Lower Level of Difficulty", ""), 'no line "... Level of Difficulty" in the header'),
    "no lines": (("Certified Values  (lines 41 to 47)", ""), r"Certified Values (lines ... to ...)"),
    "lines backwards": (("(lines 41 to 42)", "(lines 42 to 41)"), "Starting Values on lines 42 to 41"),
    "line zero": (("(lines 41 to 42)", "(lines 0 to 42)"), "Starting Values on lines 0 to 42"),
    "cut short": (("      81.78E0     760.0E0\n", ""), "lines 61 to 74, but the file ends at line 73"),
    "counts differ": (
        ("14 Observations", "15 Observations"),
        "14 observations among the certified values, but",
    ),
    "too few parameters": (("2 Parameters", "3 Parameters"), "3 parameters, but starting values on lines"),
    "parameters out of order": (("  b2 =", "  b3 ="), "line 42: expected 'b2 = ...'"),
    "no parameter": (("  b2 =", "     "), "line 42: expected 'b2 = ...'"),
    "missing deviation": (("7.2668688436E-06", ""), "line 42: numbers needed: 4, found: 3"),
    "parameter no number": (("0.0005 ", "0.000S "), "line 42: '0.000S' is not a number"),
    "no sum of squares": (("Residual Sum of Squares:", "RSS:"), 'no "Residual Sum of Squares:" on lines'),
    "wrong sum of squares": (("1.2455138894E-01", "1.2455138994E-01"), "sum of squares 0.124551"),
    "data lines differ": (("(lines 61 to 74)", "(lines 62 to 74)"), "14 observations, but data on lines 62"),
    "extra column": (
        ("14.73E0     114.9E0", "14.73E0     114.9E0 1"),
        "line 62: numbers needed: 2, found: 3",
    ),
    "missing value": (("14.73E0     114.9E0", "14.73E0"), "line 62: numbers needed: 2, found: 1"),
    "not a number": (("14.73E0", "14,73E0"), "line 62: '14,73E0' is not a number"),
    "NaN": (("14.73E0", "nan"), "line 62: 'nan' is not a number"),
    "text after the data": (("760.0E0\n", "760.0E0\n\nmore\n"), "line 76: more text after the data: 'more'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_its_reason(case, misra1a):
    (old, new), message = BAD[case]
    assert misra1a.count(old) >= 1, "the case does not change the file"
    with pytest.raises(nist.DatasetError) as caught:
        nist.parse(misra1a.replace(old, new, 1), name="mine.dat")
    text = str(caught.value)
    assert text.startswith("mine.dat") and message in text
    assert "\nWhy: " in text and "\nTry: " in text


@pytest.mark.parametrize("text", ["", "\n" * 100, "hello"])
def test_text_that_is_no_data_file(text):
    with pytest.raises(nist.DatasetError, match="Dataset Name"):
        nist.parse(text)


def test_an_unknown_set_is_refused_with_the_names():
    with pytest.raises(nist.DatasetError, match=r"No data set is called 'Misra1z'[\s\S]*Misra1a"):
        nist.load("Misra1z")


def test_errors_can_be_caught_as_value_errors():
    for kind in (nist.DatasetError, FitError):
        assert issubclass(kind, ValueError) and issubclass(kind, WengertError)


# The fits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_eight_certified_digits_from_start_2(name):
    data = nist.load(name)
    residual = score.residual_of(data)
    found = fit(residual, exact(residual), data.starts[1])
    assert score.digits(found.beta, data.certified) >= 8
    if name == "Lanczos1":  # its residuals are close to rounding
        assert score.digits(found.sd, data.certified_sd) >= 2
    else:
        assert score.digits(found.sd, data.certified_sd) >= 8
        assert found.rss == pytest.approx(data.certified_rss, rel=1e-9)
        assert found.offset < 1e-6


def test_most_sets_are_solved_from_start_1_and_more_than_with_differences():
    by_exact = by_differences = 0
    for data in map(nist.load, NAMES):
        residual = score.residual_of(data)
        found = fit(residual, exact(residual), data.starts[0])
        other = fit(residual, differences(residual), data.starts[0])
        by_exact += score.digits(found.beta, data.certified) >= 8
        by_differences += score.digits(other.beta, data.certified) >= 8
    assert by_exact >= 25
    assert by_exact > by_differences


@pytest.mark.parametrize("name", NAMES)
def test_exact_jacobian_against_complex_steps(name):
    data = nist.load(name)
    residual = score.residual_of(data)
    for beta in (*data.starts, data.certified):
        columns = []
        for j in range(beta.size):
            moved = beta.astype(complex)
            moved[j] += 1e-30j
            columns.append(residual(moved).imag / 1e-30)
        expected = np.stack(columns, axis=1)
        found = exact(residual)(beta)
        assert isinstance(found, np.ndarray) and found.shape == expected.shape
        scale = np.abs(expected).max(axis=0)
        assert np.all(np.abs(found - expected) <= 1e-11 * scale)


@pytest.mark.parametrize("points", [2, 3])
@pytest.mark.parametrize("relative", [True, False])
def test_differences_are_those_of_scipy(points, relative):
    data = nist.load("Thurber")
    residual = score.residual_of(data)
    step = np.finfo(float).eps ** (1 / points) if relative else None
    theirs = least_squares(residual, data.starts[1], jac=f"{points}-point", diff_step=step, max_nfev=1).jac
    ours = differences(residual, points=points, relative=relative)(data.starts[1])
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * np.abs(theirs).max())


def test_second_solver_runs_when_the_first_gets_stuck():
    data = nist.load("BoxBOD")
    residual = score.residual_of(data)
    assert fit(residual, exact(residual), data.starts[0]).solvers == ("lm", "trf")
    assert fit(residual, exact(residual), data.starts[1]).solvers == ("lm",)


def test_a_start_outside_the_domain_is_refused():
    def residual(b):
        return np.sqrt(b[0]) * np.ones(3)

    with pytest.raises(FitError, match=r"start \[-1\.\] has 3 of 3 entries not finite"):
        fit(residual, differences(residual), np.array([-1.0]))


def test_as_many_parameters_as_residuals_are_refused():
    def residual(b):
        return b - 1.0

    with pytest.raises(FitError, match="2 residuals for 2 parameters"):
        fit(residual, differences(residual), np.zeros(2))


def test_a_parameter_without_effect_has_no_finite_deviation():
    def residual(b):
        return b[0] + 0 * b[1] - np.arange(4.0)

    found = fit(residual, differences(residual), np.array([1.0, 1.0]))
    assert np.all(np.isinf(found.sd))
    assert found.beta[0] == pytest.approx(1.5)


def test_a_line_is_fitted_as_by_linear_least_squares():
    x = np.arange(6.0)
    y = np.array([1.0, 2.9, 5.2, 7.1, 8.8, 11.3])

    def residual(b):
        return b[0] + b[1] * x - y

    found = fit(residual, exact(residual), np.array([0.5, 0.5]))
    coefficients, covariance = np.polyfit(x, y, 1, cov=True)
    np.testing.assert_allclose(found.beta, coefficients[::-1], rtol=1e-13)
    np.testing.assert_allclose(found.sd, np.sqrt(np.diag(covariance))[::-1], rtol=1e-12)


def test_digits_counts_the_worst_entry_within_its_bounds():
    one = np.array([1.0, 1.0])
    assert score.digits(one, one) == 11
    assert score.digits(one * (1 + 1e-14), one) == 11
    assert score.digits(np.array([1.0, 1.01]), one) == pytest.approx(2)
    assert score.digits(one * 50, one) == 0
    assert score.digits(np.array([1.0, np.nan]), one) == 0
    assert score.digits(np.array([1.0, np.inf]), one) == 0


# The command --------------------------------------------------------------------------------------


def test_demo_prints_table_and_summary_and_draws(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "new" / "fits.png"
    assert cli.main(["demo", "--set", "misra1a", "Nelson", "--figure", str(picture)]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    rows = [line for line in lines if line.startswith(("Misra1a", "Nelson"))]
    header = next(line for line in lines if line.startswith("set "))
    assert len(rows) == 2 and len(rows[0]) == len(rows[1]) == len(header) <= 110
    assert any("exact" in line and "2/2" in line for line in lines)
    assert str(picture) in printed
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_demo_without_matplotlib_names_the_extra_and_goes_on(tmp_path, capsys, monkeypatch):
    for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "wengert.demo.figure", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    picture = tmp_path / "fits.png"
    assert cli.main(["demo", "--set", "Misra1a", "--figure", str(picture)]) == 0
    assert 'Try: pip install "wengert[plot]"' in capsys.readouterr().out
    assert not picture.exists()


def test_demo_of_an_unknown_set_says_so_and_fails(capsys):
    assert cli.main(["demo", "--set", "Misra1z"]) == 2
    captured = capsys.readouterr()
    assert "'Misra1z'" in captured.err and "Misra1a" in captured.err
    assert captured.out == ""


def test_demo_fails_when_a_set_misses_its_digits(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(score, "SOLVED", 11.5)
    assert cli.main(["demo", "--set", "Misra1a", "--figure", str(tmp_path / "fits.png")]) == 1


def test_no_command_prints_the_help(capsys):
    assert cli.main([]) == 2
    assert "demo" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("wengert ")


def test_command_runs_in_a_fresh_process_without_scientific_packages_for_its_version():
    code = (
        "import sys, wengert.cli\n"
        "try: wengert.cli.main(['--version'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('scipy', 'matplotlib') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
