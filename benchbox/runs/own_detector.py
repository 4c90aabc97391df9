"""`+box=own` after a protocol's name: the method looks for the face itself.

Which variant of a method does so is its card's to say, as `box = "own"`. The run is kept under the
protocol itself, in that variant's folder, and its row says the box.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchbox.errors import PluginError
from benchbox.plugins import method_card
from benchbox.protocols import protocol_card
from benchbox.types import MethodCard

if TYPE_CHECKING:
    from .run_plan import RunRequest

OWN = "own"
_OPTION = f"box={OWN}"


def choose_variant(request: RunRequest) -> RunRequest:
    """Return a request whose protocol says `+box=own` as one for the variant that does so.

    Any other request is returned as it is. Raises PluginError where the method has no such variant,
    where another one is asked for, or where the weights are another run's.
    """
    base, *options = request.protocol.split("+")
    if options.count(_OPTION) != 1:
        return request  # given twice it is refused as every option is
    protocol = "+".join([base, *[option for option in options if option != _OPTION]])
    if OWN in protocol_card.load_protocol(protocol).options.get("box", ()):
        return request  # boxes of the data set that happen to be called so
    if request.weights_of is not None:
        raise PluginError(
            f"+{_OPTION} and --weights-of: the variant of the training counts; leave +{_OPTION} out"
        )
    card = method_card.find_card(request.method, request.methods)
    detecting = variants_with_detector(card)
    if not detecting:
        raise PluginError(
            f"method {card.name!r} has no detector of its own (no variant with box = {OWN!r});"
            f" without +{_OPTION} it is given the protocol's box"
        )
    variant = request.variant or detecting[0]
    if variant not in detecting:
        raise PluginError(
            f"variant {variant!r} of {card.name!r} is given the protocol's box;"
            f" +{_OPTION} goes with {', '.join(detecting)}"
        )
    return replace(request, protocol=protocol, variant=variant)


def variants_with_detector(card: MethodCard) -> list[str]:
    """Name the variants that look for the face themselves, the default first if it is one."""
    detecting = []
    for name in dict.fromkeys([card.default, *card.variants]):
        if card.describe_row(name, "").get("box") == OWN:
            detecting.append(name)
    return detecting
