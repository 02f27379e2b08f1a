// The names of Python's C API that the library in llguidance's wheel refers to. It must find them to be loaded; its own C API,
// the only part that is called, never touches what they stand for.

#define SYMBOL(name) extern "C" __attribute__((visibility("default"), aligned(64))) char name[4096] = {};

SYMBOL(PyBaseObject_Type) SYMBOL(PyBool_Type) SYMBOL(PyByteArray_AsString) SYMBOL(PyByteArray_Size)
SYMBOL(PyByteArray_Type) SYMBOL(PyBytes_AsString) SYMBOL(PyBytes_FromStringAndSize) SYMBOL(PyBytes_Size)
SYMBOL(PyBytes_Type) SYMBOL(PyCMethod_New) SYMBOL(PyDict_New) SYMBOL(PyDict_Next) SYMBOL(PyDict_Size)
SYMBOL(PyDict_Type) SYMBOL(PyErr_Fetch) SYMBOL(PyErr_GivenExceptionMatches) SYMBOL(PyErr_NewExceptionWithDoc)
SYMBOL(PyErr_NormalizeException) SYMBOL(PyErr_Occurred) SYMBOL(PyErr_PrintEx) SYMBOL(PyErr_Restore)
SYMBOL(PyErr_SetObject) SYMBOL(PyErr_SetString) SYMBOL(PyErr_WriteUnraisable) SYMBOL(PyEval_RestoreThread)
SYMBOL(PyEval_SaveThread) SYMBOL(PyExc_AttributeError) SYMBOL(PyExc_BaseException) SYMBOL(PyExc_OverflowError)
SYMBOL(PyExc_RuntimeError) SYMBOL(PyExc_SystemError) SYMBOL(PyExc_TypeError) SYMBOL(PyExc_ValueError)
SYMBOL(PyException_SetCause) SYMBOL(PyException_SetTraceback) SYMBOL(PyFloat_AsDouble) SYMBOL(PyFloat_Type)
SYMBOL(PyGILState_Ensure) SYMBOL(PyGILState_Release) SYMBOL(PyImport_Import) SYMBOL(PyIter_Next) SYMBOL(PyList_Append)
SYMBOL(PyList_GetItem) SYMBOL(PyList_New) SYMBOL(PyList_SetItem) SYMBOL(PyList_Size) SYMBOL(PyList_Type)
SYMBOL(PyLong_AsLong) SYMBOL(PyLong_AsUnsignedLongLong) SYMBOL(PyLong_FromLong) SYMBOL(PyLong_FromSsize_t)
SYMBOL(PyLong_FromUnsignedLongLong) SYMBOL(PyLong_Type) SYMBOL(PyModuleDef_Init) SYMBOL(PyModule_GetNameObject)
SYMBOL(PyModule_Type) SYMBOL(PyNumber_Index) SYMBOL(PyObject_Call) SYMBOL(PyObject_CallObject)
SYMBOL(PyObject_DelItem) SYMBOL(PyObject_GC_Track) SYMBOL(PyObject_GC_UnTrack) SYMBOL(PyObject_GenericSetDict)
SYMBOL(PyObject_GetAttr) SYMBOL(PyObject_GetItem) SYMBOL(PyObject_GetIter) SYMBOL(PyObject_Repr)
SYMBOL(PyObject_SetAttr) SYMBOL(PyObject_SetAttrString) SYMBOL(PyObject_SetItem) SYMBOL(PyObject_Size)
SYMBOL(PyObject_Str) SYMBOL(PySequence_Check) SYMBOL(PyTraceBack_Print) SYMBOL(PyTuple_GetItem) SYMBOL(PyTuple_New)
SYMBOL(PyTuple_SetItem) SYMBOL(PyTuple_Size) SYMBOL(PyTuple_Type) SYMBOL(PyType_FromSpec) SYMBOL(PyType_GetFlags)
SYMBOL(PyType_GetSlot) SYMBOL(PyType_IsSubtype) SYMBOL(PyType_Type) SYMBOL(PyUnicode_AsEncodedString)
SYMBOL(PyUnicode_AsUTF8String) SYMBOL(PyUnicode_FromStringAndSize) SYMBOL(PyUnicode_InternInPlace)
SYMBOL(PyUnicode_Type) SYMBOL(Py_DecRef) SYMBOL(Py_GetVersion) SYMBOL(Py_IncRef) SYMBOL(Py_IsInitialized)
SYMBOL(_Py_FalseStruct) SYMBOL(_Py_NoneStruct) SYMBOL(_Py_TrueStruct)
