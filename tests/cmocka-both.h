/* SPDX-License-Identifier: MIT */
/*
 * Tests compile with cmocka 1 and with cmocka 2. The older one gets a name of the newer one's here, and a
 * program that cmocka 2 would not compile does not compile with cmocka 1 either.
 */
#ifndef CMOCKA_BOTH_H
#define CMOCKA_BOTH_H

#ifndef assert_uint_in_range
#define assert_uint_in_range(value, minimum, maximum)                                              \
    _assert_in_range(cast_to_largest_integral_type(value), cast_to_largest_integral_type(minimum), \
                     cast_to_largest_integral_type(maximum), __FILE__, __LINE__)
#endif
#undef assert_in_range /* cmocka 2 warns of it */

#ifndef stop
#define stop() fail() /* a macro of cmocka 2's: no function of a test's can have this name */
#endif

#endif
