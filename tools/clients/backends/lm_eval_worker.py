"""The evaluation subprocess: ``python -m tools.clients.backends.lm_eval_worker``.

It keeps torch, its memory and its crashes out of Mirror. One JSON request a line comes in on
stdin, JSON events go out on stdout, the last of each request being ``done`` or ``error``:

    {"op": "unpack", "gguf": path, "target": path}     progress*
    {"op": "load", "backend": name, "arguments": {...}}
    {"op": "probe"}
    {"op": "evaluate", "task": name, "config": yaml, "docs": [...]}     item*
    {"op": "generate", "prompts": [...], "most_tokens": int}            text*
    {"op": "log_probs", "texts": [...]}                                 log_prob*

``config`` is the task's own YAML inside the installed lm-eval, so template, choices and metric
are lm-eval's; only the dataset is replaced. Whatever libraries print goes to stderr. The process
ends when stdin does, so it does not outlive Mirror.
"""

from __future__ import annotations

import functools
import json
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memory.errors import BackendUntrustworthy
from tools.clients.backends.log_probs import token_log_probs
from tools.clients.backends.probe import probe
from tools.clients.weights.unpack import materialize, round_to_nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tools.clients.benchmarks.item_sources import Doc

Event = dict[str, Any]
BATCH = 4
MOST_TOKENS = 2048  # of one request; the items here are cut far below


class Worker:
    """One loaded model and what can be asked of it."""

    def __init__(self, send: Callable[[Event], None], scratch: Path) -> None:
        """``send`` writes one event; ``scratch`` is a folder for lm-eval's data files."""
        self._send = send
        self._scratch = scratch
        self._lm: Any = None
        self._backend = ""

    def answer(self, request: Event) -> None:
        """Do what one request asks; errors become events, so the next request still works."""
        try:
            getattr(self, f"_{request.pop('op')}")(**request)
        except BackendUntrustworthy as error:
            self._send({"event": "error", "kind": "untrustworthy", "text": str(error)})
        except Exception as error:  # noqa: BLE001 - whatever a library raises is this request alone
            text = f"{type(error).__name__}: {error}".strip().split("\n")[0]
            self._send({"event": "error", "kind": "failed", "text": text})
        else:
            self._send({"event": "done"})

    def _unpack(self, gguf: str, target: str) -> None:
        def progress(what: str, done: int, total: int) -> None:
            self._send({"event": "progress", "what": what, "done": done, "total": total})

        materialize(Path(gguf), Path(target), progress)

    def _load(self, backend: str, arguments: dict[str, Any]) -> None:
        self._lm = None  # the previous arm's memory goes before the next one's comes
        self._lm = LOADERS[backend](**arguments)
        self._backend = backend

    def _probe(self) -> None:
        probe(self._lm)

    def _evaluate(self, task: str, config: str, docs: list[Doc]) -> None:
        from lm_eval import simple_evaluate
        from lm_eval.tasks import TaskManager

        _describe_machine_once()
        results = simple_evaluate(
            model=self._lm,
            tasks=[self._task(task, config, docs)],
            num_fewshot=0,
            bootstrap_iters=0,
            task_manager=TaskManager(include_path=str(self._scratch), include_defaults=False),
        )
        samples = sorted(results["samples"][task], key=lambda sample: sample["doc_id"])
        for sample in samples:
            self._send({"event": "item", "index": sample["doc_id"], **outcome(sample)})

    def _generate(self, prompts: list[str], most_tokens: int) -> None:
        from lm_eval.api.instance import Instance

        how = {"until": [], "max_gen_toks": most_tokens, "do_sample": False}
        for index, prompt in enumerate(prompts):
            asked = Instance("generate_until", {}, (_as_chat(self._lm, prompt), dict(how)), index)
            (text,) = self._lm.generate_until([asked], disable_tqdm=True)
            self._send({"event": "text", "index": index, "text": text})

    def _log_probs(self, texts: list[str]) -> None:
        """Each text's log-probability; transformers' tokens with means and deviations too."""
        from lm_eval.api.instance import Instance

        if self._backend == "hf":
            for index, scored in enumerate(
                token_log_probs(self._lm.model, self._lm.tokenizer, texts)
            ):
                rows = (scored.log_probs, scored.means, scored.deviations)
                tokens = [row.tolist() for row in rows]
                self._send({"event": "log_prob", "index": index, "tokens": tokens})
            return
        kind = "loglikelihood_rolling"
        asked = [Instance(kind, {}, (text,), index) for index, text in enumerate(texts)]
        for index, total in enumerate(self._lm.loglikelihood_rolling(asked, disable_tqdm=True)):
            self._send({"event": "log_prob", "index": index, "total": float(total)})

    def _task(self, task: str, config: str, docs: list[Doc]) -> dict[str, Any]:
        """lm-eval's own task over ``docs`` as its only split."""
        import lm_eval
        from lm_eval.tasks._yaml_loader import load_yaml

        data = Path(tempfile.mkdtemp(dir=self._scratch)) / "test.jsonl"
        data.write_text("".join(json.dumps(doc) + "\n" for doc in docs), "utf-8")
        template: dict[str, Any] = load_yaml(Path(lm_eval.__file__).parent / "tasks" / config)
        return template | {
            "task": task,
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {
                "data_files": {"test": str(data)},
                "cache_dir": str(self._scratch / "datasets"),
            },
            "training_split": None,
            "validation_split": None,
            "test_split": "test",
        }


def load_hf(path: str, round_bits: int | None, trust_remote_code: bool = False) -> Any:
    """A folder of safetensors through transformers, in float32 on this machine's processor."""
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(
        pretrained=path,
        dtype="float32",
        device="cpu",
        batch_size=BATCH,
        trust_remote_code=trust_remote_code,
    )
    if round_bits is not None:
        round_to_nearest(lm.model, round_bits)
    return lm


def load_vllm(path: str, trust_remote_code: bool = False) -> Any:
    """The same folder through vLLM, on whatever device vLLM finds."""
    import torch
    from lm_eval.models.vllm_causallms import VLLM

    # vLLM takes this share of the memory at once; a processor's is not all for the taking, and
    # compiling for one takes longer than the few items that it will ever see.
    on_gpu = torch.cuda.is_available()
    return VLLM(
        pretrained=path,
        dtype="auto",
        batch_size="auto",
        max_model_len=MOST_TOKENS,
        gpu_memory_utilization=0.9 if on_gpu else 0.3,
        enforce_eager=not on_gpu,
        trust_remote_code=trust_remote_code,
    )


def load_served(
    base_url: str, model: str, tokenizer: str | None, num_concurrent: int, auth_token: str | None
) -> Any:
    """A model behind an OpenAI-compatible server that echoes log-probabilities."""
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    return LocalCompletionsAPI(
        base_url=base_url,
        model=model,
        tokenizer_backend="remote" if tokenizer is None else "huggingface",
        tokenizer=tokenizer,
        num_concurrent=num_concurrent,
        header={"Authorization": f"Bearer {auth_token}"} if auth_token else None,
        auth_token=auth_token,
        max_length=MOST_TOKENS,
        max_retries=3,
    )


LOADERS: dict[str, Callable[..., Any]] = {
    "hf": load_hf,
    "vllm": load_vllm,
    "served": load_served,
}


def _as_chat(lm: Any, prompt: str) -> str:
    """The prompt in the model's own chat template; as it is where the model has none."""
    template = getattr(getattr(lm, "tokenizer", None), "chat_template", None)
    if not template:
        return prompt
    return str(lm.apply_chat_template([{"role": "user", "content": prompt}]))


def outcome(sample: dict[str, Any]) -> dict[str, Any]:
    """Correctness, answer and target of one lm-eval sample of a multiple-choice task.

    ``correct`` is lm-eval's ``acc``; None (missing, not wrong) when a log-likelihood is not a
    number, because the order of the choices means nothing then.
    """
    scores = [float(score) for score, _ in sample["filtered_resps"]]
    choices = [str(arguments[1]).strip() for arguments in sample["arguments"]]
    if any(math.isnan(score) for score in scores):
        return {"correct": None, "answer": ""}
    return {"correct": float(sample["acc"]), "answer": choices[scores.index(max(scores))]}


def _describe_machine_once() -> None:
    """simple_evaluate lists the machine's software after each call: 1.3 s that never changes."""
    from torch.utils import collect_env

    if not hasattr(collect_env.get_pretty_env_info, "cache_info"):
        collect_env.get_pretty_env_info = functools.cache(collect_env.get_pretty_env_info)


def serve(requests: Iterable[str], send: Callable[[Event], None]) -> None:
    """Answer each line of ``requests`` until there are no more."""
    with tempfile.TemporaryDirectory(prefix="mirror-lm-eval-") as scratch:
        worker = Worker(send, Path(scratch))
        for line in requests:
            worker.answer(json.loads(line))


def main() -> None:
    """Serve stdin, keeping the real stdout for events and giving libraries stderr instead."""
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send(event: Event) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    serve(sys.stdin, send)


if __name__ == "__main__":
    main()
