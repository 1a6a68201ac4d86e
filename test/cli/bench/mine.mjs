import pg from 'pg';
let pool;
export const open = ({ url }) => {
  pool = new pg.Pool({ connectionString: url, max: 10 }).on('error', () => {});
};
export const write = (id) => pool.query('insert into ledger (id) values ($1)', [id]);
export const read = () => pool.query('select 1');
export const close = () => pool.end();
