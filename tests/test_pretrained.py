"""dclib.pretrained: the networks on file are what their recipe says, and do what the JSON beside them says."""

import json

import numpy as np
import pytest

from dclib import pretrained
from dclib.data import load

KNOWN = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in pretrained.FOLDER.glob("*.json")}


def test_all_are_on_file_and_small():
    files = {path.stem: path for path in pretrained.FOLDER.glob("*.safetensors")}
    assert set(files) == set(pretrained.RECIPES) == set(KNOWN)
    assert sum(path.stat().st_size for path in files.values()) < 25e6


@pytest.mark.parametrize("name", pretrained.RECIPES)
def test_a_network_has_its_recipe_and_its_history(name):
    autoencoder, how = pretrained.load_or_train(name)
    assert how.startswith("loaded") and KNOWN[name]["command"] in how
    parameters = autoencoder.get_params()
    assert all(parameters[key] == value for key, value in pretrained.RECIPES[name].items())
    assert len(autoencoder.history_) == parameters["epochs"]
    assert autoencoder.history_["loss"][-1] < 0.5 * autoencoder.history_["loss"][0]


def test_a_network_does_what_its_scores_say():
    seen, unseen = pretrained.split(5000)
    assert len(seen) == 4 * len(unseen) and not set(seen) & set(unseen)
    for name in ("mnist5k-dense-0", "mnist5k-conv-1", "cifar5k-dense-0", "cifar5k-conv-0"):
        check_errors(name)


@pytest.mark.full_data("fashion_mnist")
@pytest.mark.parametrize("name", [name for name in pretrained.RECIPES if name.startswith("fashion_mnist")])
def test_a_network_of_fashion_mnist_does_what_its_scores_say(name):
    check_errors(name)


def check_errors(name):
    """On images that it never saw, and far below one gray picture for all; those that it saw have a lower error."""
    autoencoder, how = pretrained.load_or_train(name)
    assert how.startswith("loaded")
    x, y = pretrained.images(name)[1]
    known, error = KNOWN[name]["scores"], np.square(autoencoder.reconstruct(x) - x).mean()
    assert error == pytest.approx(known["unseen error"], abs=2e-4) and len(x) == len(y)
    assert error < 0.5 * np.square(x.mean(0) - x).mean()
    assert known["seen error"] < known["unseen error"] < 0.04


def test_without_a_file_it_trains(monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    monkeypatch.setitem(
        pretrained.RECIPES, "digits-tiny", {"latent_dim": 2, "hidden": (8,), "epochs": 6, "batch_size": 64}
    )
    autoencoder, how = pretrained.load_or_train("digits-tiny")
    assert how == "trained now" and autoencoder.transform(load("digits").x).shape == (1797, 2)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="There are: mnist5k-dense-0"):
        pretrained.load_or_train("mnist5k-dens-0")
