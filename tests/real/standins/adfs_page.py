"""The HTML pages of AD FS: an error, the sign-in form, and the form that a browser posts with a SAML Response."""

from __future__ import annotations

from html import escape

from standins.loopback import Answer

HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = """<!DOCTYPE html>
<html lang="en-US">
    <head>
        <meta http-equiv="X-UA-Compatible" content="IE=10.000"/>
        <title>{title}</title>
        <script type='text/javascript'>
//<![CDATA[
function LoginErrors(){{this.userNameFormatError = 'Enter your user ID in the format &quot;domain&#92;user&quot;.'; if (1 < 2) {{}}}}
//]]>
        </script>
    </head>
    <body dir="ltr" class="body">{body}</body>
</html>"""
LOGIN = """<div id="loginArea">
<form method="post" id="loginForm" autocomplete="off" novalidate="novalidate" action="{action}">
<input id="userNameInput" name="UserName" type="email" value="" tabindex="1" class="text fullWidth"/>
<input id="passwordInput" name="Password" type="password" tabindex="2" class="text fullWidth"/>
<input id="optionForms" type="hidden" name="AuthMethod" value="FormsAuthentication"/>
<span id="submitButton" onclick="return Login.submitLoginRequest();">Sign in</span></form></div>"""


def error_page(status: int, text: str) -> Answer:
    """Formats an error as users see it in a browser."""
    body = f'<div id="errorArea"><div id="openingMessage">An error occurred</div><div id="errorMessage">{escape(text)}</div>' \
           "<ul><li>Activity ID: 00000000-0000-0000-5000-0080010000e4</li></ul></div>"  # fmt: skip
    return Answer(status, PAGE.format(title="Error", body=body), HTML)


def no_such_path(path: str) -> Answer:
    """The error of every path that AD FS does not serve."""
    return error_page(404, f"MSIS7065: There are no registered protocol handlers on path {path} to process the incoming request.")


def login_form(action: str) -> Answer:
    """The form for a sign-in with user name and password."""
    return Answer(200, PAGE.format(title="Sign In", body=LOGIN.format(action=escape(action))), HTML)


def posting_form(action: str, value: str) -> Answer:
    """The form of the HTTP-POST binding (saml-bindings-2.0-os section 3.5.4); `value` is the text of the attribute,
    already escaped.
    """
    page = (
        '<html><head><title>Working...</title></head><body><form method="POST" name="hiddenform" '
        f'action="{escape(action)}"><input type="hidden" name="SAMLResponse" value="{value}" />'
        "<noscript><p>Script is disabled. Click Submit to continue.</p>"
        '<input type="submit" value="Submit" /></noscript></form>'
        '<script language="javascript">window.setTimeout(\'document.forms[0].submit()\', 0);</script></body></html>'
    )
    return Answer(200, page, HTML)
