/* SPDX-License-Identifier: ISC */
/* Tables: columns as wide as their widest cell. */
#include "ctl/ctl_table.h"

#include <string.h>

void ctl_cells(struct pl_str line, struct pl_str cells_r[CTL_CELLS_MAX])
{
	struct pl_str rest = line;

	for (int i = 0; i < CTL_CELLS_MAX; i++) {
		cells_r[i] = pl_strn("", 0);
		if (rest.len > 0)
			(void)pl_str_cut(&rest, '\t', &cells_r[i]);
	}
}

/* Cells of a line; the head decides how many a line has. */
static int cells_of(struct pl_str line, struct pl_str cells_r[CTL_CELLS_MAX])
{
	int count = 1;

	ctl_cells(line, cells_r);
	for (size_t i = 0; i < line.len; i++)
		count += line.ptr[i] == '\t';
	return count < CTL_CELLS_MAX ? count : CTL_CELLS_MAX;
}

static struct pl_str shown(struct pl_str cell)
{
	return cell.len > 0 ? cell : PL_STR("-");
}

static void measure(struct pl_str line, int count, size_t widths[CTL_CELLS_MAX])
{
	struct pl_str cells[CTL_CELLS_MAX];

	ctl_cells(line, cells);
	for (int i = 0; i < count; i++) {
		struct pl_str cell = shown(cells[i]);
		size_t width = pl_utf8_count(cell.ptr, cell.len);

		if (width > widths[i])
			widths[i] = width;
	}
}

static void print_line(FILE *out, struct pl_str line, int count, const size_t widths[CTL_CELLS_MAX])
{
	struct pl_str cells[CTL_CELLS_MAX];

	ctl_cells(line, cells);
	for (int i = 0; i < count; i++) {
		struct pl_str cell = shown(cells[i]);
		size_t blanks = widths[i] - pl_utf8_count(cell.ptr, cell.len) + 2;

		fprintf(out, "%.*s", PL_FMT(cell));
		if (i < count - 1)
			fprintf(out, "%*s", (int)blanks, "");
	}
	fputc('\n', out);
}

void ctl_table_print(FILE *out, const char *heads, struct pl_str lines)
{
	struct pl_str cells[CTL_CELLS_MAX], rest = lines, line;
	size_t widths[CTL_CELLS_MAX] = { 0 };
	int count = cells_of(pl_str(heads), cells);

	if (lines.len == 0)
		return;
	measure(pl_str(heads), count, widths);
	while (rest.len > 0 && pl_str_cut(&rest, '\n', &line))
		measure(line, count, widths);
	print_line(out, pl_str(heads), count, widths);
	rest = lines;
	while (rest.len > 0 && pl_str_cut(&rest, '\n', &line))
		print_line(out, line, count, widths);
}
