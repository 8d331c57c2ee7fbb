"""SOAP 1.2 faults as Windows Communication Foundation and AD FS send them; all come with HTTP status 500.

https://www.w3.org/TR/soap12-part1/#soapfault; the subcodes are those of WS-Trust 1.3 section 11, WS-Security section 12 and
WS-Addressing section 6.
"""

from __future__ import annotations

from html import escape

from standins.loopback import Answer

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://www.w3.org/2005/08/addressing"
TRUST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
SOAP_XML = {"Content-Type": "application/soap+xml; charset=utf-8"}
FAULT = """<s:Envelope xmlns:s="{soap}" xmlns:a="{addressing}"><s:Header><a:Action s:mustUnderstand="1">\
{addressing}/soap/fault</a:Action></s:Header><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode>\
<s:Value xmlns:c="{namespace}">c:{code}</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">{text}</s:Text>\
</s:Reason></s:Fault></s:Body></s:Envelope>"""


class Fault(Exception):
    """A refusal of AD FS; `namespace` is that of the subcode."""

    def __init__(self, namespace: str, code: str, text: str):
        super().__init__(f"{code}: {text}")
        self.namespace, self.code, self.text = namespace, code, text

    def answer(self) -> Answer:
        """The envelope with the fault."""
        body = FAULT.format(soap=SOAP, addressing=ADDRESSING, namespace=self.namespace, code=self.code, text=escape(self.text, quote=False))
        return Answer(500, body, SOAP_XML)


def invalid_request() -> Fault:
    """The fault if a part of the RequestSecurityToken is wrong."""
    return Fault(TRUST, "InvalidRequest", "MSIS3127: The specified request failed.")


def invalid_scope() -> Fault:
    """The fault if AppliesTo does not name a relying party trust."""
    return Fault(TRUST, "InvalidScope", "ID3082: The request scope is not valid or is unsupported.")


def failed_authentication() -> Fault:
    """The fault if the user name and password, or the certificate, are refused."""
    return Fault(SECURITY, "FailedAuthentication", "ID3242: The security token could not be authenticated or authorized.")


def invalid_security() -> Fault:
    """The fault if the Security header is missing, or its Timestamp or signature is wrong."""
    return Fault(SECURITY, "InvalidSecurity", "An error occurred when verifying security for the message.")


def action_not_supported(action: str) -> Fault:
    """The fault if the ContractFilter refuses the action."""
    return Fault(ADDRESSING, "ActionNotSupported", f"The message with Action '{action}' cannot be processed at the receiver, due to a "
                 "ContractFilter mismatch at the EndpointDispatcher.")  # fmt: skip


def destination_unreachable(to: str) -> Fault:
    """The fault if the AddressFilter refuses the destination."""
    return Fault(ADDRESSING, "DestinationUnreachable", f"The message with To '{to}' cannot be processed at the receiver, due to an "
                 "AddressFilter mismatch at the EndpointDispatcher.")  # fmt: skip
