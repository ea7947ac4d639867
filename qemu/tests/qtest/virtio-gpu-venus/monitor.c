/*
 * virtio-gpu-venus: what the tests ask of QEMU itself
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#include "monitor.h"

/* The device's QOM property as an object, which is the caller's */
static QObject *get_property(Venus *v, const char *property)
{
    QDict *resp = qtest_qmp(v->qts, "{'execute': 'qom-get', 'arguments': "
                            "{'path': %s, 'property': %s}}",
                            QOM_PATH, property);
    QObject *value;

    g_assert_true(qdict_haskey(resp, "return"));
    value = qobject_ref(qdict_get(resp, "return"));
    qobject_unref(resp);
    return value;
}

uint64_t get_stat(Venus *v, const char *name)
{
    g_autofree char *property = g_strdup_printf("stat-%s", name);
    QObject *object = get_property(v, property);
    uint64_t value = qnum_get_uint(qobject_to(QNum, object));

    qobject_unref(object);
    return value;
}

QDict *get_context(Venus *v, uint32_t id)
{
    QObject *object = get_property(v, "contexts");
    QDict *found = NULL;
    QListEntry *entry;

    QLIST_FOREACH_ENTRY(qobject_to(QList, object), entry) {
        QDict *context = qobject_to(QDict, qlist_entry_obj(entry));

        if (qdict_get_int(context, "id") == id) {
            g_assert_null(found);
            found = qobject_ref(context);
        }
    }
    g_assert_nonnull(found);
    qobject_unref(object);
    return found;
}

char *get_string(Venus *v, const char *property)
{
    QObject *object = get_property(v, property);
    char *value = g_strdup(qstring_get_str(qobject_to(QString, object)));

    qobject_unref(object);
    return value;
}

void set_string(Venus *v, const char *property, const char *value)
{
    qtest_qmp_assert_success(v->qts, "{'execute': 'qom-set', 'arguments': "
                             "{'path': %s, 'property': %s, 'value': %s}}",
                             QOM_PATH, property, value);
}

void assert_refused(Venus *v, const char *property, const char *value,
                    const char *message)
{
    QDict *error = qtest_qmp_assert_failure_ref(v->qts, "{'execute': 'qom-set',"
        "'arguments': {'path': %s, 'property': %s, 'value': %s}}",
        QOM_PATH, property, value);

    g_assert_nonnull(strstr(qdict_get_str(error, "desc"), message));
    g_assert_null(strchr(qdict_get_str(error, "desc"), '\n'));
    qobject_unref(error);
}

void assert_string(Venus *v, const char *property, const char *value)
{
    g_autofree char *there = get_string(v, property);

    g_assert_cmpstr(there, ==, value);
}

static char *run_and_fail(const char *args, const char *last)
{
    g_autofree char *command = g_strdup_printf(
        "timeout 60 %s -M pc -accel qtest -display none -nodefaults %s %s",
        getenv("QTEST_QEMU_BINARY"), args, last);
    char *messages;
    int status;

    g_assert_true(g_spawn_command_line_sync(command, NULL, &messages, &status,
                                            NULL));
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    return messages;
}

char *start_and_fail(const char *args)
{
    /* In this form it is the last device, and it is none: QEMU always ends. */
    return run_and_fail(args, "-device '{\"driver\":\"nothing\"}'");
}

char *load_and_fail(const char *args, const char *path)
{
    g_autofree char *incoming = g_strdup_printf("-incoming file:%s", path);

    return run_and_fail(args, incoming);
}
