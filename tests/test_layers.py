"""The import contracts of `.importlinter` hold."""

from importlinter.cli import lint_imports


def test_the_layers_are_kept(pytestconfig, capsys, monkeypatch):
    monkeypatch.chdir(pytestconfig.rootpath)
    status = lint_imports(config_filename=".importlinter", no_cache=True, no_logo=True)
    assert status == 0, capsys.readouterr().out
