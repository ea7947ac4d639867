/* SPDX-License-Identifier: MIT */
/* See report.h. On the pipe a finding is a line of five fields, a fact a line of two. */
#include "report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Between fields. Control characters of what others say are gone by then. */
#define SEPARATOR "\037"

enum { MAX_TEXT = 700 }; /* five of them are written in one piece: PIPE_BUF has 4096 */

static int out_fd = -1;

void report_to(int fd)
{
    out_fd = fd;
}

/* Every control character a space, so that nothing that a driver says moves a terminal's cursor. */
static void clean(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = ' ';
    }
}

static void clean_copy(char copy[MAX_TEXT], const char *text)
{
    snprintf(copy, MAX_TEXT, "%s", text ? text : "");
    clean(copy);
}

static void write_line(const char *line, size_t len)
{
    while (len) {
        ssize_t written = write(out_fd, line, len);
        if (written < 0)
            _exit(1); /* the doctor has given us up */
        line += written;
        len -= (size_t)written;
    }
}

void report_finding(enum level level, const char *id, const char *subject, const char *remedy,
                    const char *reason, ...)
{
    char about[MAX_TEXT], why[MAX_TEXT], what_to_do[MAX_TEXT], line[4 * MAX_TEXT];
    va_list args;
    va_start(args, reason);
    vsnprintf(why, sizeof(why), reason, args);
    va_end(args);
    clean(why);
    clean_copy(about, subject);
    clean_copy(what_to_do, remedy);
    int len = snprintf(line, sizeof(line),
                       "%d" SEPARATOR "%s" SEPARATOR "%s" SEPARATOR "%s" SEPARATOR "%s\n", level,
                       id, about, why, what_to_do);
    write_line(line, (size_t)len);
}

void report_fact(const char *name, const char *value)
{
    char cleaned[MAX_TEXT], line[2 * MAX_TEXT];
    clean_copy(cleaned, value);
    int len = snprintf(line, sizeof(line), "%s" SEPARATOR "%s\n", name, cleaned);
    write_line(line, (size_t)len);
}

static void *grow(void *array, size_t count, size_t size)
{
    array = realloc(array, (count + 1) * size);
    if (!array)
        abort();
    return array;
}

static char *copy_of(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

void report_add(struct report *report, enum level level, const char *id, const char *subject,
                const char *reason, const char *remedy)
{
    report->findings = grow(report->findings, report->num_findings, sizeof(*report->findings));
    struct finding *finding = &report->findings[report->num_findings++];
    *finding = (struct finding){ .level = level,
                                 .id = copy_of(id),
                                 .subject = copy_of(subject),
                                 .reason = copy_of(reason),
                                 .remedy = copy_of(remedy) };
    clean(finding->subject);
    clean(finding->reason);
    clean(finding->remedy);
}

void report_read_line(struct report *report, char *line)
{
    char *fields[5];
    size_t count = 0;
    for (char *field; count < 5 && (field = strsep(&line, SEPARATOR));)
        fields[count++] = field;
    if (count == 5 && fields[0][0] >= '0' && fields[0][0] <= '2') {
        report_add(report, (enum level)(fields[0][0] - '0'), fields[1], fields[2], fields[3],
                   fields[4]);
    } else if (count == 2) {
        report->facts = grow(report->facts, report->num_facts, sizeof(*report->facts));
        report->facts[report->num_facts++] =
            (struct fact){ .name = copy_of(fields[0]), .value = copy_of(fields[1]) };
    }
}

void report_free(struct report *report)
{
    for (size_t i = 0; i < report->num_findings; i++) {
        free(report->findings[i].id);
        free(report->findings[i].subject);
        free(report->findings[i].reason);
        free(report->findings[i].remedy);
    }
    for (size_t i = 0; i < report->num_facts; i++) {
        free(report->facts[i].name);
        free(report->facts[i].value);
    }
    free(report->findings);
    free(report->facts);
    *report = (struct report){ .num_findings = 0 };
}

const char *report_get_fact(const struct report *report, const char *name)
{
    for (size_t i = 0; i < report->num_facts; i++) {
        if (!strcmp(report->facts[i].name, name))
            return report->facts[i].value;
    }
    return NULL;
}

enum level report_worst(const struct report *report)
{
    enum level worst = LEVEL_OK;
    for (size_t i = 0; i < report->num_findings; i++) {
        if (report->findings[i].level > worst)
            worst = report->findings[i].level;
    }
    return worst;
}

static size_t count_of(const struct report *report, enum level level)
{
    size_t count = 0;
    for (size_t i = 0; i < report->num_findings; i++)
        count += report->findings[i].level == level;
    return count;
}

/* A name of a driver may have what an ASCII terminal cannot show. */
static void print_text(const char *text, bool utf8, FILE *file)
{
    for (; *text; text++) {
        if (utf8 || (unsigned char)*text < 0x80)
            putc(*text, file);
        else if (((unsigned char)*text & 0xc0) == 0xc0) /* one for each character */
            putc('?', file);
    }
}

static const char *ending(size_t count)
{
    return count == 1 ? "" : "s";
}

void report_print(const struct report *report, const char *command, bool utf8, FILE *file)
{
    static const char *const utf8_marks[] = { "\u2713", "!", "\u2717" };
    static const char *const ascii_marks[] = { "ok  ", "warn", "FAIL" };
    const char *indent = utf8 ? "  " : "     ";
    for (size_t i = 0; i < report->num_findings; i++) {
        const struct finding *finding = &report->findings[i];
        fprintf(file, "%s %s", utf8 ? utf8_marks[finding->level] : ascii_marks[finding->level],
                finding->id);
        /* What a driver's device can do follows the device: its name is not said again. */
        if (*finding->subject && (i == 0 || strcmp(finding->subject, finding[-1].subject) != 0)) {
            fputs(" (", file);
            print_text(finding->subject, utf8, file);
            putc(')', file);
        }
        fputs(": ", file);
        print_text(finding->reason, utf8, file);
        putc('\n', file);
        if (*finding->remedy) {
            fprintf(file, "%s%s ", indent, utf8 ? "\u2192" : "->");
            print_text(finding->remedy, utf8, file);
            putc('\n', file);
        }
    }
    size_t errors = count_of(report, LEVEL_ERROR), warnings = count_of(report, LEVEL_WARNING);
    if (errors)
        fprintf(file, "\nThis host cannot run the device yet: %zu thing%s to mend first. Then:\n\n",
                errors, ending(errors));
    else if (warnings)
        fprintf(file, "\nThis host can run the device; %zu thing%s could be better. Run:\n\n",
                warnings, ending(warnings));
    else
        fputs("\nThis host can run the device, and well. Run:\n\n", file);
    fputs("    ", file);
    print_text(command, utf8, file);
    fputs("\n\nguest.qcow2 stands for your guest's disk.\n", file);
}

/* The bytes of one UTF-8 character, or 0 if these are none. */
static unsigned utf8_length(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    unsigned len = byte[0] >= 0xf0 && byte[0] < 0xf5 ? 4 : byte[0] >= 0xe0 ? 3 : 2;
    if (byte[0] < 0xc2 || byte[0] >= 0xf5)
        return 0;
    for (unsigned i = 1; i < len; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Too long for what it says, half of a pair, or beyond the last. */
    if ((byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xed && byte[1] >= 0xa0) ||
        (byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] >= 0x90))
        return 0;
    return len;
}

static void print_string(const char *text, FILE *file)
{
    putc('"', file);
    while (*text) {
        unsigned len = (unsigned char)*text < 0x80 ? 1 : utf8_length(text);
        if (len == 0) {
            fputs("\\ufffd", file);
            text++;
            continue;
        }
        if (*text == '"' || *text == '\\')
            putc('\\', file);
        if ((unsigned char)*text < ' ')
            fprintf(file, "\\u%04x", *text);
        else
            fwrite(text, 1, len, file);
        text += len;
    }
    putc('"', file);
}

static void print_member(const char *name, const char *value, const char *after, FILE *file)
{
    fprintf(file, "\"%s\": ", name);
    print_string(value, file);
    fputs(after, file);
}

void report_print_json(const struct report *report, const char *command, FILE *file)
{
    static const char *const levels[] = { "ok", "warning", "error" };
    fputs("{\n  \"format\": 1,\n  ", file);
    print_member("version", VENUS_GPU_VERSION, ",\n  ", file);
    print_member("status", levels[report_worst(report)], ",\n  ", file);
    print_member("command", command, ",\n  \"findings\": [", file);
    for (size_t i = 0; i < report->num_findings; i++) {
        const struct finding *finding = &report->findings[i];
        fputs(i ? ",\n    {" : "\n    {", file);
        print_member("id", finding->id, ", ", file);
        print_member("subject", finding->subject, ", ", file);
        print_member("status", levels[finding->level], ",\n     ", file);
        print_member("reason", finding->reason, ",\n     ", file);
        print_member("remedy", finding->remedy, "}", file);
    }
    fputs("\n  ]\n}\n", file);
}
