/* SPDX-License-Identifier: MIT */
/* The names of cmocka's functions, to link the tests for macOS where there is no cmocka of macOS'. */
#define NAME(function)  \
    int function(void); \
    int function(void)  \
    {                   \
        return -1;      \
    }

NAME(_assert_float_equal)
NAME(_assert_in_range)
NAME(_assert_int_equal)
NAME(_assert_int_not_equal)
NAME(_assert_memory_equal)
NAME(_assert_memory_not_equal)
NAME(_assert_string_equal)
NAME(_assert_string_not_equal)
NAME(_assert_true)
NAME(_cmocka_run_group_tests)
NAME(_fail)
NAME(_skip)
NAME(cm_print_error)
NAME(print_error)
NAME(print_message)
