"""A Streamlit app: one page that shows what it runs on."""

import platform

import streamlit as st

st.title("Hello from Streamlit")
st.write({"python": platform.python_version()})
