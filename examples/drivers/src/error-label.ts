/**
 * What an error is counted by, whichever driver and layer has thrown it. Pure.
 */

/** The code, wherever the layers have put it; for what has none, what it says. A label to count by, and nothing is decided by it. */
export function errorLabel(error: unknown): string {
  const codes = layersOf(error).flatMap(({ code, originalCode }) => [originalCode, code])
  // Prisma's and Node's own wrappers have codes, too: PostgreSQL's, or the socket's, says more.
  const known = codes.filter((code): code is string => typeof code === 'string')
  const said =
    known.find(code => /^[0-9A-Z]{5}$/.test(code) && !/^P\d{4}$/.test(code)) ??
    known.find(code => !/^P\d{4}$/.test(code))
  if (said !== undefined) return said
  const texts = layersOf(error).map(({ message }) => message)
  const text = texts.findLast((message): message is string => typeof message === 'string' && message !== '')
  const wrapper = known[0] === undefined ? '' : `${known[0]}: `
  return `${wrapper}${withoutStatement(text ?? String(error))
    .replaceAll(/\s+/g, ' ')
    .slice(0, 80)}`
}

/** Knex puts the statement before what it says. */
const withoutStatement = (text: string): string => text.replace(/^.* - /s, '')

type Layer = Readonly<
  Record<
    'code' | 'originalCode' | 'message' | 'cause' | 'original' | 'driverError' | 'meta' | 'driverAdapterError',
    unknown
  >
> & {
  readonly errors?: readonly unknown[]
}

function layersOf(error: unknown): Layer[] {
  if (typeof error !== 'object' || error === null) return []
  const layer = error as Layer
  const inner = [
    layer.cause,
    layer.original,
    layer.driverError,
    layer.meta,
    layer.driverAdapterError,
    layer.errors?.[0],
  ]
  return [layer, ...inner.flatMap(one => (one === error ? [] : layersOf(one)))]
}
