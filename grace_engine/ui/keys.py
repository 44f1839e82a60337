"""Which keys does a page listen to, and where does it list them?"""

import streamlit as st

from grace_engine.ui.text import facts_html

KEYS = {
    "J / K": "next / previous trace",
    "L / H": "next / previous step",
    "G": "verdict: good",
    "W": "verdict: wrong",
    "I": "verdict: irrelevant",
    "D": "verdict: redundant",
    "Y": "keep the trace",
    "X": "drop the trace",
    "U": "undo",
    "Shift + U": "redo",
    "/": "search prompts, steps and answers",
    "?": "this list",
}
"""What each key does. One's own verdict, keep or drop is withdrawn by the same key."""

# Streamlit's own shortcuts know no punctuation. One listener a tab, for the two keys that have
# none; it presses what a mouse would press, and never while someone types.
_SCRIPT = """<script>
if (!window.graceKeys) {
  window.graceKeys = true;
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, textarea, select, [contenteditable=true]');
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '/') {
      const box = document.querySelector('.st-key-filter-q input');
      if (box) { event.preventDefault(); box.focus(); box.select(); }
    } else if (event.key === '?') {
      document.querySelector('.st-key-keys button')?.click();
    }
  });
}
</script>"""


def listen() -> None:
    """A button that lists the keys, and what makes "/" and "?" work."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)
    if st.button("Keys", key="keys", icon=":material/keyboard:", type="tertiary", help="Press ?"):
        _list()


@st.dialog("Keys")
def _list() -> None:
    st.html(facts_html(KEYS))
    st.caption(
        "Your own verdict, keep or drop that stands is withdrawn by the same key; on that of "
        "another curator the key says that you agree."
    )
