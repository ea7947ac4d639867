/* SPDX-License-Identifier: MIT */
/* System calls that no render server, and no driver in one, has a use for: they are denied with EPERM. */
#ifndef FILTER_H
#define FILTER_H

/* From now on, in this process and those that it starts. Needs PR_SET_NO_NEW_PRIVS. 0, or a negative errno value. */
int filter_install(void);

#endif
