// @ts-check
/** What of a matrix is in sight, and where positions are among its cells. Pure. */

/**
 * @typedef {{row: number, column: number, rows: number, columns: number}} Sight
 * The first row and column in sight and how many, in cells; parts of cells are allowed.
 */
/**
 * @typedef {{first: number, count: number, stop: number, starts: ArrayLike<number>|null}} Axis
 * `count` cells for the positions from `first` up to `stop`; one each, or groups that begin at
 * `starts`.
 */

/** Cells in sight at least. */
const CLOSEST = 6;

/** @param {number} rows @param {number} columns @returns {Sight} */
export function wholeSight(rows, columns) {
  return { row: 0, column: 0, rows, columns };
}

/** How many times larger than the whole a sight shows. @param {Sight} sight @param {number} columns */
export function magnification(sight, columns) {
  return columns / sight.columns;
}

/**
 * Closer by a factor (below 1: farther); the point (x, y) of the plot, 0 to 1, stays where it is.
 * @param {Sight} sight @param {number} factor @param {number} x @param {number} y
 * @param {number} rows @param {number} columns
 */
export function zoomedSight(sight, factor, x, y, rows, columns) {
  const least = Math.min(1, CLOSEST / Math.max(rows, columns));
  const share = Math.max(least, Math.min(1, sight.columns / columns / factor));
  const [high, wide] = [share * rows, share * columns];
  return within(
    {
      row: sight.row + y * (sight.rows - high),
      column: sight.column + x * (sight.columns - wide),
      rows: high,
      columns: wide,
    },
    rows,
    columns,
  );
}

/**
 * Moved by parts of the plot's width and height.
 * @param {Sight} sight @param {number} dx @param {number} dy @param {number} rows @param {number} columns
 */
export function movedSight(sight, dx, dy, rows, columns) {
  return within(
    { ...sight, row: sight.row + dy * sight.rows, column: sight.column + dx * sight.columns },
    rows,
    columns,
  );
}

/**
 * The smallest sight of the matrix' own shape that holds some cells.
 * @param {Sight} cells @param {number} rows @param {number} columns
 */
export function sightAround(cells, rows, columns) {
  const least = Math.min(1, CLOSEST / Math.max(rows, columns));
  const share = Math.min(1, Math.max(least, cells.rows / rows, cells.columns / columns));
  const [high, wide] = [share * rows, share * columns];
  return within(
    {
      row: cells.row + (cells.rows - high) / 2,
      column: cells.column + (cells.columns - wide) / 2,
      rows: high,
      columns: wide,
    },
    rows,
    columns,
  );
}

/** So that a cell is in sight, moved no more than needed.
 * @param {Sight} sight @param {number} row @param {number} column */
export function sightWith(sight, row, column) {
  /** @param {number} first @param {number} count @param {number} at */
  const slid = (first, count, at) => Math.max(Math.min(first, at), at + 1 - count);
  return {
    ...sight,
    row: slid(sight.row, sight.rows, row),
    column: slid(sight.column, sight.columns, column),
  };
}

/** @param {Sight} sight @param {number} rows @param {number} columns @returns {Sight} */
function within(sight, rows, columns) {
  return {
    ...sight,
    row: Math.max(0, Math.min(rows - sight.rows, sight.row)),
    column: Math.max(0, Math.min(columns - sight.columns, sight.column)),
  };
}

/**
 * Where a position is on an axis, in cells.
 * @param {Axis} axis @param {number} position
 */
export function cellOf(axis, position) {
  const { first, starts, stop, count } = axis;
  if (!starts) return position - first;
  if (position <= first) return position - first;
  if (position >= stop) return count;
  const index = groupAt(starts, position);
  const end = index + 1 < starts.length ? starts[index + 1] : stop;
  return index + (position - starts[index]) / (end - starts[index]);
}

/**
 * The positions that a cell stands for, `[first, stop]`.
 * @param {Axis} axis @param {number} cell @returns {[number, number]}
 */
export function positionsOf(axis, cell) {
  const { first, starts, stop } = axis;
  if (!starts) return [first + cell, first + cell + 1];
  return [starts[cell], cell + 1 < starts.length ? starts[cell + 1] : stop];
}

/**
 * The group that holds a position.
 * @param {ArrayLike<number>} starts @param {number} position
 */
export function groupAt(starts, position) {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= position) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * What is in sight in token positions, for a view that shows other cells; null for everything.
 * @param {Sight} sight @param {Axis} down @param {Axis} across
 */
export function sightToTell(sight, down, across) {
  if (sight.columns >= across.count) return null;
  /** @param {Axis} axis @param {number} at */
  const position = (axis, at) => {
    if (!axis.starts) return axis.first + at;
    const cell = Math.min(axis.count - 1, Math.floor(at));
    const [from, to] = positionsOf(axis, cell);
    return from + (at - cell) * (to - from);
  };
  return {
    rows: [position(down, sight.row), position(down, sight.row + sight.rows)],
    columns: [position(across, sight.column), position(across, sight.column + sight.columns)],
  };
}

/**
 * The sight that shows what another view said of itself.
 * @param {{rows: number[], columns: number[]}|null} told @param {Axis} down @param {Axis} across
 */
export function sightTold(told, down, across) {
  if (!told) return wholeSight(down.count, across.count);
  const [row, lastRow] = told.rows.map((at) => cellOf(down, at));
  const [column, lastColumn] = told.columns.map((at) => cellOf(across, at));
  return sightAround(
    { row, column, rows: lastRow - row, columns: lastColumn - column },
    down.count,
    across.count,
  );
}
