/**
 * Transactions that survive their connection's death. The driver (postgres.js 3.4.9, issues 1208 and 1215) sends its own ROLLBACK, and whatever
 * the transaction's work still asks for, to a connection that is closed already: an exception that nobody can catch ends the process, and
 * what it did not send goes out first on the next connection, into somebody else's transaction.
 *
 * So here: once the connection is lost, the work's handle refuses everything, and the driver is never told that the work has failed – it is
 * told by itself, by the close, and `begin` rejects with that. The work's promise is then nobody's and goes with the garbage.
 */
import type { Sql, TransactionSql } from 'postgres'
import { isDatabaseAway } from './away.ts'

type Work = (transaction: TransactionSql) => unknown

interface Connection {
  isOver: boolean
}

export function guardTransactions<T extends Record<string, unknown>>(sql: Sql<T>): Sql<T> {
  const begin = sql.begin as (...input: unknown[]) => Promise<unknown>
  const guarded = (...input: unknown[]) => {
    const connection: Connection = { isOver: false }
    const options = input.slice(0, -1)
    return begin(...options, guardWork(input.at(-1) as Work, connection)).finally(() => {
      connection.isOver = true
    })
  }
  return Object.assign(sql, { begin: guarded as Sql<T>['begin'] })
}

function guardWork(work: Work, connection: Connection): Work {
  return async (transaction) => {
    try {
      const result = await work(guardHandle(transaction, connection))
      if (!connection.isOver) return result
    } catch (error) {
      if (!connection.isOver && !isDatabaseAway(error)) throw error
    }
    return new Promise<never>(() => {})
  }
}

function guardHandle(transaction: TransactionSql, connection: Connection): TransactionSql {
  const refuseIfOver = () => {
    if (connection.isOver) throw Object.assign(new Error('the transaction is over'), { code: 'CONNECTION_CLOSED' })
  }
  return new Proxy(transaction, {
    apply(target, self, input) {
      refuseIfOver()
      return Reflect.apply(target, self, input)
    },
    get(target, name, receiver) {
      const member = Reflect.get(target, name, receiver)
      if (name !== 'unsafe' && name !== 'savepoint') return member
      return (...input: unknown[]) => {
        refuseIfOver()
        const last = input.length - 1
        if (name === 'savepoint') input[last] = guardWork(input[last] as Work, connection)
        return member(...input)
      }
    },
  })
}
