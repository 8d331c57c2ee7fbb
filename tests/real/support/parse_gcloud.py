"""Parses command lines with gcloud's own parser, without running them. It runs with the Python of gcloud.

  python3 parse_gcloud.py GOOGLE-CLOUD-SDK <COMMANDS.json      a list of lists of words

Prints a list: whether each is understood. What is wrong with the others goes to standard error, in their order.
"""

import json
import sys

root = sys.argv[1]
sys.path[:0] = [f"{root}/lib", f"{root}/lib/third_party"]

from googlecloudsdk import gcloud_main  # noqa: E402

parser = gcloud_main.CreateCLI([])._CLI__parser


def is_understood(words: list[str]) -> bool:
    """Whether the parser accepts the command and all its options."""
    try:
        parser.parse_args(words)
    except SystemExit:
        return False
    return True


print(json.dumps([is_understood(words) for words in json.load(sys.stdin)]))
