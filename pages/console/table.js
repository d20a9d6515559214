// Rows as a table on a wide screen, and as cards on a phone. The roles are spelled out, because some browsers drop those of
// a table that the style sheet lays out as something else.
import { html, nothing } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";

/**
 * @param {object} table
 * @param {string} table.caption for screen readers; the heading above tells it to others
 * @param {Array<{name: string, cell: Function, kind?: string}>} table.columns the first one names the row; `kind` is "free" for
 *   texts of people, which may break anywhere, and "act" for buttons
 * @param {Array<{id: number}>} table.rows
 */
export const table = ({ caption, columns, rows }) => html`<div class="rows-place">
  <table class="rows" role="table">
    <caption class="visually-hidden">${caption}</caption>
    <thead role="rowgroup">
      <tr role="row">${columns.map(headOf)}</tr>
    </thead>
    <tbody role="rowgroup">${repeat(rows, ({ id }) => id, (row) => rowOf(row, columns))}</tbody>
  </table>
</div>`;

const headOf = ({ name, kind }) => html`<th role="columnheader" scope="col" class=${kind ?? nothing}>${name}</th>`;

const rowOf = (row, [first, ...others]) => html`
  <tr role="row">
    <th role="rowheader" scope="row" class=${first.kind ?? nothing} data-label=${first.name}>${first.cell(row)}</th>
    ${others.map(({ name, cell, kind }) => html`<td role="cell" class=${kind ?? nothing} data-label=${name}>${cell(row)}</td>`)}
  </tr>
`;
