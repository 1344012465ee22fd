"""What goes wrong: answered to programs as a problem (RFC 9457), to people as a page.

    kinds          the problems that are not refusals, with status and meaning
    answers        a problem as JSON or as a page
    handlers       the answer to each kind of exception
    database       the answers to database errors
    not_signed_in  the way to the sign-in page
    last_resort    the answer to unexpected errors
    scim           problems as SCIM reports them

A problem's type is the address of its explanation, `/problems/<code>`, and never changes.
"""

from web.problems.answers import answer, retry_after
from web.problems.handlers import answer_to, handle_problems
from web.problems.kinds import KINDS, Problem, title_of

__all__ = ["KINDS", "Problem", "answer", "answer_to", "handle_problems", "retry_after", "title_of"]
