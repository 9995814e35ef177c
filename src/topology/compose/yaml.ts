/**
 * YAML as Compose reads it: numbers are Go's (`010` is 8), a date is no text, and what comes after a second `---` counts.
 * https://github.com/go-yaml/yaml/blob/v3/resolve.go
 */
import { parseDocument, type ScalarTag, type Tags } from 'yaml'
import { LabError, messageOf } from '../../errors.ts'

/** @throws LabError COMPOSE_FILE_INVALID */
export function plainValue(text: string, file: string): unknown {
  try {
    const document = parseDocument(text, { merge: true, customTags })
    const [wrong] = [...document.errors, ...document.warnings]
    if (wrong !== undefined) throw wrong
    return document.toJS() // throws for an alias without an anchor, and for a merge of what is no mapping
  } catch (error) {
    throw new LabError(
      'COMPOSE_FILE_INVALID',
      `the lab cannot read ${file} as YAML: ${messageOf(error).split('\n')[0]}`,
      {
        hint: 'docker compose config shows how Compose reads the file.',
        cause: error,
      },
    )
  }
}

const MAX_UINT64 = 2n ** 64n - 1n

/** Whole numbers are bigint, so that `1` and `1.0` can be told apart from `1e21`. */
const integer: ScalarTag = {
  default: true,
  tag: 'tag:yaml.org,2002:int',
  test: /^[-+]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|0[0-7_]*|[1-9][\d_]*)$/,
  resolve: text => {
    const digits = text.replaceAll('_', '').replace(/^[-+]/, '')
    const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits)
    if (value > MAX_UINT64) return Number(value)
    return text.startsWith('-') ? -value : value
  },
}

const float: ScalarTag = {
  default: true,
  tag: 'tag:yaml.org,2002:float',
  test: /^[-+]?(?:\.[\d_]+|\d[\d_]*(?:\.[\d_]*)?)(?:[eE][-+]?\d+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$/,
  resolve: text =>
    Number(
      text
        .replaceAll('_', '')
        .replace(/\.inf/i, 'Infinity')
        .replace(/^\.nan/i, 'NaN'),
    ),
}

const date: ScalarTag = {
  default: true,
  tag: 'tag:yaml.org,2002:timestamp',
  test: /^\d{4}-\d{1,2}-\d{1,2}(?:[Tt ].*)?$/,
  resolve: (text, onError) => {
    onError(`${text} is a date in YAML: put it between quotes`)
    return text
  },
}

const customTags = (tags: Tags): Tags => [
  ...tags.filter(tag => typeof tag === 'string' || !/:(?:int|float)$/.test(tag.tag)),
  ...[integer, float, date],
]

/** As Go writes a number into an environment. https://pkg.go.dev/strconv#FormatFloat: 'g' with the fewest digits that are needed */
export function numberText(value: number | bigint): string {
  if (typeof value === 'bigint') return String(value)
  const [digits = '', power = '0'] = value.toExponential().split('e')
  const exponent = Number(power)
  if (Object.is(value, -0)) return '-0'
  if (exponent >= -4 && exponent < 6) return String(value)
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}
