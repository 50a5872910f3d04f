"""What published model licences say, clause by clause: the table behind ``tools.methods.licences``.

It summarizes published terms as the authors know them. It was not checked clause by clause
against the texts; it is a reading aid, not legal advice, and the texts decide. Not in it, since a
tag does not tell: Llama 3.2's vision models are not licensed in the European Union (the text ones
are), and Qwen2.5's 3B is under qwen-research while its 72B is under qwen.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CLAUSES: Mapping[str, str] = MappingProxyType(
    {
        "non-commercial": "no commercial use",
        "research-only": "research use only",
        "no-derivatives": "no changed versions may be shared",
        "share-alike": "changed versions must carry the same licence",
        "network-copyleft": "offering it over a network obliges you to offer its source",
        "user-limit": "above a number of monthly users a separate licence is needed",
        "revenue-limit": "above a yearly revenue a separate licence is needed",
        "territory": "not licensed in some countries",
        "acceptable-use": "an acceptable-use policy binds you and your users",
        "naming": "the original name must be shown",
        "registration": "commercial users must register",
        "output-limit": "its answers may not be used to improve other models",
        "hosting": "offering it to others as a service needs a separate licence",
    }
)

# Exact names, as the Hub and the catalogues spell them. No clause: permissive.
_LLAMA2 = "user-limit acceptable-use output-limit"
_LLAMA3 = "user-limit acceptable-use naming"
TERMS: Mapping[str, str] = MappingProxyType(
    {
        # permissive
        "apache-2.0": "", "mit": "", "mit-0": "", "bsd": "", "bsd-2-clause": "", "bsd-3-clause": "",
        "bsd-3-clause-clear": "", "isc": "", "unlicense": "", "wtfpl": "", "cc0-1.0": "",
        "public-domain": "", "cc-by-2.0": "", "cc-by-2.5": "", "cc-by-3.0": "", "cc-by-4.0": "",
        "afl-3.0": "", "artistic-2.0": "", "bsl-1.0": "", "zlib": "", "ncsa": "", "ecl-2.0": "",
        "ms-pl": "", "postgresql": "", "cdla-permissive-1.0": "", "cdla-permissive-2.0": "",
        "odc-by": "", "pddl": "", "openmdw-1.0": "", "openmdw-1.1": "", "openmdw": "",
        # copyleft
        "gpl": "share-alike", "gpl-2.0": "share-alike", "gpl-3.0": "share-alike",
        "lgpl": "share-alike", "lgpl-2.1": "share-alike", "lgpl-3.0": "share-alike",
        "mpl-2.0": "share-alike", "epl-2.0": "share-alike",
        "eupl-1.1": "share-alike network-copyleft",
        "eupl-1.2": "share-alike network-copyleft", "odbl": "share-alike",
        "agpl-3.0": "share-alike network-copyleft", "osl-3.0": "share-alike network-copyleft",
        "cdla-sharing-1.0": "share-alike",
        # vendors
        "llama2": _LLAMA2, "llama3": f"{_LLAMA3} output-limit", "llama3.1": _LLAMA3,
        "llama3.2": _LLAMA3, "llama3.3": _LLAMA3, "llama4": f"{_LLAMA3} territory",
        "gemma": "acceptable-use",
        "health-ai-developer-foundations": "acceptable-use",
        "qwen": "user-limit naming", "tongyi-qianwen": "user-limit output-limit",
        "qwen-research": "non-commercial research-only naming",
        "tongyi-qianwen-research": "non-commercial research-only naming",
        "mrl": "non-commercial research-only", "mnpl": "non-commercial",
        "modified-mit": "user-limit revenue-limit naming",
        "modified-mit-mistral-ai-2025": "revenue-limit",
        "deepseek": "acceptable-use", "deepseek-license": "acceptable-use",
        "nvidia-open-model-license": "acceptable-use",
        "nvidia-nemotron-open-model-license": "acceptable-use",
        "nsclv1": "non-commercial", "customized-nscl-v1": "non-commercial",
        "falcon-llm-license": "acceptable-use naming",
        "falcon-mamba-7b-license": "acceptable-use naming",
        "falcon-180b": "acceptable-use hosting",
        "yi-license": "registration acceptable-use",
        "exaone": "non-commercial research-only acceptable-use",
        "apple-amlr": "research-only",
        "apple-ascl": "",
        "msrla": "non-commercial research-only",
        "lfm1.0": "revenue-limit", "lfm-1.0": "revenue-limit",
        "jamba-open-model-license": "revenue-limit acceptable-use",
        "stabilityai-ai-community": "revenue-limit acceptable-use naming",
        "polyform-small-business-1.0.0": "revenue-limit",
        "polyform-strict-1-0-0": "non-commercial no-derivatives",
        "glm-4": "registration acceptable-use naming",
        "chatglm3": "registration acceptable-use",
        "codegeex4": "registration acceptable-use naming",
        "minimax": "user-limit acceptable-use naming",
        "tencent-hunyuan-community": "user-limit territory acceptable-use",
        "tencent-hunyuan-a13b": "user-limit territory acceptable-use",
        "hyperclovax-seed": "user-limit acceptable-use naming",
        "fair": "non-commercial research-only acceptable-use",
        # responsible-AI licences
        "openrail": "acceptable-use", "openrail++": "acceptable-use",
        "bigscience-rail-1.0": "acceptable-use",
        "bigscience-openrail-m": "acceptable-use", "bigscience-bloom-rail-1.0": "acceptable-use",
        "creativeml-openrail-m": "acceptable-use", "bigcode-openrail-m": "acceptable-use",
    }
)  # fmt: skip

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "apache-license-2.0": "apache-2.0", "apache2": "apache-2.0", "apache": "apache-2.0",
        "apache 2.0": "apache-2.0", "apache2.0": "apache-2.0", "llama-2": "llama2",
        "llama-3": "llama3", "meta-llama-3-community": "llama3", "llama-3.1": "llama3.1",
        "llama-3.1-community-license": "llama3.1", "llama-3.2": "llama3.2", "llama-3.3": "llama3.3",
        "llama-4": "llama4", "tongyi-qianwen-license-agreement": "tongyi-qianwen",
        "gpl-3": "gpl-3.0", "gplv3": "gpl-3.0", "agpl": "agpl-3.0", "agplv3": "agpl-3.0",
        "https://huggingface.co/spaces/bigscience/license": "bigscience-bloom-rail-1.0",
        "llama-2-community-license": "llama2", "llama-3-community-license": "llama3",
        "mistral-ai-research-license": "mrl", "mistral-research-license": "mrl",
        "mrl-0.1": "mrl", "mnpl-0.1": "mnpl", "mistral-ai-non-production-license": "mnpl",
        "deepseek-license-agreement": "deepseek", "gemma-terms-of-use": "gemma",
        "qwen-license": "qwen", "qwen-license-agreement": "qwen",
        "qwen-research-license": "qwen-research", "tii-falcon-llm-2.0": "falcon-llm-license",
        "falcon-180b-tii-license": "falcon-180b", "yi": "yi-license",
        "open-rail": "openrail", "open-rail++": "openrail++", "openrail-m": "openrail",
        "hai-def": "health-ai-developer-foundations", "cc0": "cc0-1.0",
    }
)  # fmt: skip

# Names that state their own restriction. Tried in order, all that match add up.
PATTERNS = (
    (re.compile(r"^cc-by(-[a-z]+)*-nc\b"), "non-commercial"),
    (re.compile(r"^cc-by(-[a-z]+)*-nd\b"), "no-derivatives"),
    (re.compile(r"^cc-by(-[a-z]+)*-sa\b"), "share-alike"),
    (re.compile(r"non-?commercial|[-_]nc$"), "non-commercial"),
    (re.compile(r"research"), "research-only"),
)

# Where the tag is "other" a link may still say which published text is meant. A model's own
# LICENSE file is not here: its address does not tell what it says.
LINKS = (
    (re.compile(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)"), r"cc-\1-\2"),
    (re.compile(r"creativecommons\.org/publicdomain/zero"), "cc0-1.0"),
    (re.compile(r"apache\.org/licenses/license-2\.0"), "apache-2.0"),
    (re.compile(r"opensource\.org/licen[cs]es?/mit"), "mit"),
    (re.compile(r"ai\.meta\.com/llama/license|llama-?2[\w./-]*licen[cs]e"), "llama2"),
    (re.compile(r"llama\.com/llama(3(?:[._]\d)?|4)/license"), r"llama\1"),
    (re.compile(r"ai\.google\.dev/gemma/terms"), "gemma"),
    (re.compile(r"health-ai-developer-foundations/terms"), "health-ai-developer-foundations"),
    (re.compile(r"mistral\.ai/licen[cs]es/mrl"), "mrl"),
    (re.compile(r"mistral\.ai/licen[cs]es/mnpl"), "mnpl"),
    (re.compile(r"deepseek-ai/[\w./-]*license-model"), "deepseek"),
    (re.compile(r"nvidia-open-model-license"), "nvidia-open-model-license"),
    (re.compile(r"falconllm\.tii\.ae"), "falcon-llm-license"),
)
