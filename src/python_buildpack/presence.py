"""Whether something is there: also for names that files hold, which no file system may take."""

from __future__ import annotations

import os

# Unlike the methods of Path these are false for a name that is too long or holds a NUL, and for
# what lies in a directory that is not for this user.
exists = os.path.exists
is_file = os.path.isfile
is_dir = os.path.isdir
